/** Why a graph is not run by the engine, by name; and the error of a graph that contradicts itself. */
import { ModelError } from '../../../errors.ts';

/** Why onnxruntime runs a graph. docs/model-store.md has the table. */
export const OTHER_REASONS = [
  'not_int8',
  'unreadable',
  'opset',
  'input',
  'free_size',
  'layer_type',
  'activation',
  'float_layer',
  'groups',
  'size',
  'operator',
  'pattern',
] as const;

/** One of them. */
export type OtherReason = (typeof OTHER_REASONS)[number];

/** Thrown inside the recogniser alone: the graph may be right, but it is not the engine's. */
export class NotRecognized extends Error {
  readonly reason: OtherReason;

  constructor(reason: OtherReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The error of a graph that says two things at once, or that its file contradicts. */
export function contradiction(message: string): ModelError {
  return new ModelError('model_corrupt', `the graph contradicts itself: ${message}`);
}
