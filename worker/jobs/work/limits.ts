/** What the answer to one item may hold. */
export const PREDICTION_LIMITS = { predictions: 10_000, labelCharacters: 1000, dimensions: 65_536 } as const;
