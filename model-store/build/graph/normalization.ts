/** What a processor does to 8-bit samples: value = (sample * rescaleFactor - mean) / std. */

/** A step that is null is off; `mean` and `std` have one value for each channel. */
export interface Normalization {
  readonly rescaleFactor: number | null;
  readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] } | null;
}
