/** What turns inflated bytes into rows: one reader for rows that stream, one for rows that must be collected. */
import type { InflateConsumer } from '../inflate/inflate.ts';

/** Takes inflated bytes and passes rows on. */
export interface RowReader extends InflateConsumer {
  /** Bytes of all rows, filter types included. */
  readonly totalBytes: number;
  /** Bytes of the longest row, its filter type included. */
  readonly unitBytes: number;
  /** Bytes of the rows that are complete. */
  readonly takenBytes: number;
  /** Rows that are complete. */
  readonly rowsDone: number;
  /** Rows of all passes. */
  readonly rowsTotal: number;
  /** Passes on what is left: rows never reached have samples of 0. */
  finish(): void;
}
