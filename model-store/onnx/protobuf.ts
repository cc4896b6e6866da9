/**
 * The protobuf wire format, as far as ONNX needs it: varints, 32-bit values, length-delimited fields. Pure, no I/O.
 * Reference: https://protobuf.dev/programming-guides/encoding/
 */
import { ModelError } from '../../worker/errors.ts';

/** How a field's value is laid out. */
export const WIRE_TYPE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Writes one message; fields appear in the order of the calls. */
export class ProtobufWriter {
  readonly #chunks: Uint8Array[] = [];
  #byteLength = 0;

  /** Bytes written so far. */
  get byteLength(): number {
    return this.#byteLength;
  }

  #append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#byteLength += bytes.byteLength;
  }

  #varint(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.#append(Uint8Array.from(bytes));
  }

  #tag(field: number, wireType: number): void {
    this.#varint(BigInt((field << 3) | wireType));
  }

  /** An int32, int64 or enum field; negative values take ten bytes, as the format wants. */
  integer(field: number, value: number | bigint): this {
    this.#tag(field, WIRE_TYPE.varint);
    this.#varint(BigInt(value));
    return this;
  }

  /** A float field. */
  float(field: number, value: number): this {
    this.#tag(field, WIRE_TYPE.fixed32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#append(bytes);
    return this;
  }

  /** A bytes field; `value` is not copied before `finish`. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, WIRE_TYPE.bytes);
    this.#varint(BigInt(value.byteLength));
    this.#append(value);
    return this;
  }

  /** A string field. */
  string(field: number, value: string): this {
    return this.bytes(field, utf8Encoder.encode(value));
  }

  /** A message field. */
  message(field: number, value: ProtobufWriter): this {
    this.#tag(field, WIRE_TYPE.bytes);
    this.#varint(BigInt(value.#byteLength));
    for (const chunk of value.#chunks) this.#append(chunk);
    return this;
  }

  /** The message's bytes. */
  finish(): Uint8Array {
    const out = new Uint8Array(this.#byteLength);
    let offset = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return out;
  }
}

/** One field of a message: `integer` of a varint or fixed field, `bytes` of a length-delimited one (a view). */
export interface ProtobufField {
  readonly field: number;
  readonly wireType: number;
  readonly integer: bigint;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/**
 * Walks the fields of one message, in their order.
 * @throws ModelError `model_corrupt` where the message is cut off or holds a wire type that ONNX does not use.
 */
export function* readProtobuf(message: Uint8Array): Generator<ProtobufField> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let offset = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[offset++];
      if (byte === undefined) throw corrupt(`a varint is cut off at byte ${message.byteLength}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw corrupt(`the varint before byte ${offset} has more than ten bytes`);
  };
  const take = (count: number): number => {
    if (count > message.byteLength - offset) {
      throw corrupt(`a field of ${count} bytes at byte ${offset} leaves a message of ${message.byteLength}`);
    }
    offset += count;
    return offset - count;
  };
  while (offset < message.byteLength) {
    const tag = Number(varint());
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    switch (wireType) {
      case WIRE_TYPE.varint:
        yield { field, wireType, integer: varint(), bytes: NO_BYTES };
        break;
      case WIRE_TYPE.fixed64:
        yield { field, wireType, integer: view.getBigUint64(take(8), true), bytes: NO_BYTES };
        break;
      case WIRE_TYPE.fixed32:
        yield { field, wireType, integer: BigInt(view.getUint32(take(4), true)), bytes: NO_BYTES };
        break;
      case WIRE_TYPE.bytes: {
        const start = take(Number(varint()));
        yield { field, wireType, integer: 0n, bytes: message.subarray(start, offset) };
        break;
      }
      default:
        throw corrupt(`wire type ${wireType} of field ${field} at byte ${offset}`);
    }
  }
}

/** The value of a signed int32 or int64 field. */
export function signedInteger({ integer }: ProtobufField): number {
  return Number(BigInt.asIntN(64, integer));
}

/** The value of a float field. */
export function floatValue({ integer }: ProtobufField): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, Number(integer));
  return view.getFloat32(0);
}

/**
 * The value of a string field.
 * @throws ModelError `model_corrupt` where it is not UTF-8.
 */
export function stringValue({ bytes }: ProtobufField): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw corrupt(`a string of ${bytes.byteLength} bytes is not UTF-8`, cause);
  }
}

/** The values of a repeated integer field, packed or not. */
export function repeatedIntegers(field: ProtobufField): number[] {
  if (field.wireType === WIRE_TYPE.varint) return [signedInteger(field)];
  const values: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of field.bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      values.push(Number(BigInt.asIntN(64, value)));
      value = 0n;
      shift = 0n;
    }
  }
  if (shift !== 0n) throw corrupt(`a packed field of ${field.bytes.byteLength} bytes ends inside a varint`);
  return values;
}

function corrupt(problem: string, cause?: unknown): ModelError {
  return new ModelError('model_corrupt', `protobuf: ${problem}`, cause === undefined ? {} : { cause });
}
