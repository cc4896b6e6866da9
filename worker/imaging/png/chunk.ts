/** One chunk of a PNG file: its data is `bytes[start .. start + length - 1]`, as far as the file goes. */
export interface Chunk {
  readonly type: string;
  readonly start: number;
  readonly length: number;
}
