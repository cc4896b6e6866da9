/** Names that heads and their readers share. */

/** The alias that a request means which names none. */
export const DEFAULT_ALIAS = 'latest';
