/**
 * Triton's classification extension: an output as the best of its elements, `<value>:<index>:<label>`. Pure.
 * Source: Triton, "Classification Extension"; the value is written as C's `%f`.
 */
import { RequestError } from '../errors.ts';
import { makeTensor, type Tensor } from './datatypes.ts';
import type { RequestFields } from './infer-request.ts';

/** Decimals of a value. */
const VALUE_DIGITS = 6;

/**
 * How many classes of an output are asked for; 0 for the tensor itself.
 * @throws RequestError `invalid_body` if the parameter `classification` is not a count.
 */
export function classCount(request: RequestFields, output: string): number {
  const count = request.outputs?.find(({ name }) => name === output)?.parameters?.classification ?? 0;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count;
  throw new RequestError('invalid_body', `output "${output}": parameter classification must be a count of classes`, {
    details: { tensor: output },
  });
}

/**
 * The `count` largest elements of every row: BYTES `[rows, min(count, elements)]`, best first, equal ones in order.
 * @param labels of the elements; left out unless there is one for each.
 */
export function classifyRows(
  name: string,
  shape: readonly number[],
  data: Float32Array,
  count: number,
  labels: readonly string[],
): Tensor {
  const rows = shape[0] ?? 1;
  const width = data.length / rows;
  const kept = Math.min(count, width);
  const isLabelled = labels.length === width;
  const encoder = new TextEncoder();
  const elements: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * width, (row + 1) * width);
    const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
    for (const index of order.slice(0, kept)) {
      const label = isLabelled ? `:${labels[index]}` : '';
      elements.push(encoder.encode(`${values[index]!.toFixed(VALUE_DIGITS)}:${index}${label}`));
    }
  }
  return makeTensor(name, 'BYTES', [rows, kept], elements);
}
