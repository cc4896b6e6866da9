/**
 * Reads one pickle without running it: a stack machine for the opcodes that serialize data, which asks a host for every
 * global and calls nothing else. Pure, no I/O.
 * Source: CPython 3.13 `Lib/pickletools.py` (protocols 0 to 5); the opcodes are those that `torch.load(weights_only=True)`
 * reads, and those that protocols 3 to 5 write in their place.
 */
import {
  describeValue,
  PickleDict,
  PickleFunction,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from './pickle-values.ts';

/** A state dict of a thousand tensors takes 0.2 MB. */
export const MAX_PICKLE_BYTES = 64 * 2 ** 20;

const MAX_PROTOCOL = 5;

/** Values on the stack, and in the memo. */
const MAX_VALUES = 1_000_000;

/** Python's integers have no end; a pickled one of more bytes than this is no number of a checkpoint. */
const MAX_INTEGER_BYTES = 255;

/** What a pickle is read for. */
export interface PickleHost {
  /** The value of `module.name`. @throws PickleError where it is none that may be had. */
  findGlobal(module: string, name: string): PickleValue;
  /** The value that a persistent id stands for. @throws PickleError where it stands for none. */
  loadPersistent(id: PickleValue): PickleValue;
}

/** Why a pickle is refused; the position is that of the opcode. */
export class PickleError extends Error {
  readonly position: number;
  /** The global that was asked for and may not be had; null where it was something else. */
  readonly global: string | null;
  constructor(message: string, position = -1, global: string | null = null) {
    super(message);
    this.name = 'PickleError';
    this.position = position;
    this.global = global;
  }
}

/** The bytes ended before the pickle did. */
export class PickleEndError extends PickleError {}

/**
 * Reads the pickle that begins at `start`.
 * @returns its value, and the position behind it.
 * @throws PickleError; PickleEndError where `bytes` ends before it.
 */
export function readPickle(bytes: Uint8Array, start: number, host: PickleHost): { value: PickleValue; end: number } {
  return new PickleMachine(bytes, start, host).run();
}

class PickleMachine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #host: PickleHost;
  readonly #memo = new Map<number, PickleValue>();
  readonly #marks: number[] = [];
  #stack: PickleValue[] = [];
  #position: number;
  #opcodeAt = 0;

  constructor(bytes: Uint8Array, start: number, host: PickleHost) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#host = host;
  }

  run(): { value: PickleValue; end: number } {
    try {
      for (;;) {
        this.#opcodeAt = this.#position;
        const opcode = this.#bytes[this.#take(1)]!;
        if (opcode === 0x2e) return { value: this.#pop(), end: this.#position };
        this.#step(opcode);
        if (this.#stack.length > MAX_VALUES) throw new PickleError(`more than ${MAX_VALUES} values on the stack`);
      }
    } catch (error) {
      if (!(error instanceof PickleError) || error instanceof PickleEndError || error.position >= 0) throw error;
      throw new PickleError(`byte ${this.#opcodeAt}: ${error.message}`, this.#opcodeAt, error.global);
    }
  }

  #step(opcode: number): void {
    const value = this.#literal(opcode) ?? this.#composed(opcode);
    if (value !== undefined) this.#stack.push(value);
    else if (opcode === 0x4e) this.#stack.push(null);
    else this.#operate(opcode);
  }

  /** The value that an opcode spells out; undefined for other opcodes, and for None. */
  #literal(opcode: number): PickleValue | undefined {
    switch (opcode) {
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.#view.getInt32(this.#take(4), true);
      case 0x4b: // BININT1
        return this.#uint8();
      case 0x4d: // BININT2
        return this.#view.getUint16(this.#take(2), true);
      case 0x8a: // LONG1
        return this.#integer(this.#uint8());
      case 0x8b: // LONG4
        return this.#integer(this.#view.getInt32(this.#take(4), true));
      case 0x47: // BINFLOAT
        return this.#view.getFloat64(this.#take(8), false);
      case 0x58: // BINUNICODE
        return this.#utf8(this.#uint32());
      case 0x8c: // SHORT_BINUNICODE
        return this.#utf8(this.#uint8());
      case 0x8d: // BINUNICODE8
        return this.#utf8(this.#uint64());
      case 0x54: // BINSTRING, of Python 2
        return latin1(this.#slice(this.#uint32()));
      case 0x55: // SHORT_BINSTRING, of Python 2
        return latin1(this.#slice(this.#uint8()));
      case 0x42: // BINBYTES
        return this.#slice(this.#uint32());
      case 0x43: // SHORT_BINBYTES
        return this.#slice(this.#uint8());
      case 0x8e: // BINBYTES8
        return this.#slice(this.#uint64());
      default:
        return undefined;
    }
  }

  /** The value that an opcode makes of what is on the stack; undefined for other opcodes. */
  #composed(opcode: number): PickleValue | undefined {
    switch (opcode) {
      case 0x29: // EMPTY_TUPLE
        return new PickleTuple([]);
      case 0x85:
      case 0x86:
      case 0x87: // TUPLE1 to TUPLE3
        return new PickleTuple(this.#popMany(opcode - 0x84));
      case 0x74: // TUPLE
        return new PickleTuple(this.#popMark());
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        return new PickleList();
      case 0x6c: // LIST
      case 0x91: // FROZENSET
        return new PickleList(this.#popMark());
      case 0x7d: // EMPTY_DICT
        return new PickleDict();
      default:
        return undefined;
    }
  }

  #operate(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.#checkProtocol(this.#uint8());
        break;
      case 0x95: // FRAME: how far the pickler buffered
        this.#take(8);
        break;
      case 0x28: // MARK
        if (this.#marks.length >= MAX_VALUES) throw new PickleError(`more than ${MAX_VALUES} marks`);
        this.#marks.push(this.#stack.length);
        break;
      case 0x30: // POP, of a mark too
        if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popMark();
        break;
      case 0x32: // DUP
        this.#stack.push(this.#top());
        break;
      case 0x61: // APPEND
        this.#append(this.#popMany(1));
        break;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popMark());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        break;
      case 0x71: // BINPUT
        this.#remember(this.#uint8());
        break;
      case 0x72: // LONG_BINPUT
        this.#remember(this.#uint32());
        break;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        break;
      case 0x68: // BINGET
        this.#recall(this.#uint8());
        break;
      case 0x6a: // LONG_BINGET
        this.#recall(this.#uint32());
        break;
      case 0x63: // GLOBAL
        this.#global(this.#line(), this.#line());
        break;
      case 0x93: // STACK_GLOBAL
        this.#global(...this.#popMany(2));
        break;
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#call();
        break;
      case 0x62: // BUILD
        this.#build();
        break;
      case 0x51: // BINPERSID
        this.#stack.push(this.#host.loadPersistent(this.#pop()));
        break;
      default:
        throw new PickleError(`opcode 0x${opcode.toString(16).padStart(2, '0')} is none that a state dict needs`);
    }
  }

  #checkProtocol(protocol: number): void {
    if (protocol > MAX_PROTOCOL) throw new PickleError(`protocol ${protocol}; supported: 0 to ${MAX_PROTOCOL}`);
  }

  #global(module?: PickleValue, name?: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleError('a global without a name');
    this.#stack.push(this.#host.findGlobal(module, name));
  }

  #call(): void {
    const args = this.#pop();
    const callee = this.#pop();
    if (!(callee instanceof PickleFunction)) throw new PickleError(`${describeValue(callee)} is called`);
    if (!(args instanceof PickleTuple)) throw new PickleError(`${callee.name} is called with ${describeValue(args)}`);
    this.#stack.push(callee.call(args.items));
  }

  /** Attributes of a dict or tensor (`_metadata`) say nothing about its values. */
  #build(): void {
    this.#pop();
    const target = this.#top();
    if (target instanceof PickleDict || target instanceof PickleObject) return;
    throw new PickleError(`attributes are set on ${describeValue(target)}`);
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!(list instanceof PickleList)) throw new PickleError(`items are appended to ${describeValue(list)}`);
    for (const item of items) list.items.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof PickleDict)) throw new PickleError(`items are set in ${describeValue(dict)}`);
    if (items.length % 2 !== 0) throw new PickleError(`a key without a value`);
    for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i]!, items[i + 1]!);
  }

  #remember(index: number): void {
    if (this.#memo.size >= MAX_VALUES) throw new PickleError(`more than ${MAX_VALUES} values in the memo`);
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleError(`memo entry ${index} is not there`);
    this.#stack.push(value);
  }

  #top(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleError('the stack is empty');
    return this.#stack.at(-1)!;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): PickleValue[] {
    const start = this.#stack.length - count;
    if (start < (this.#marks.at(-1) ?? 0)) throw new PickleError('the stack is empty');
    return this.#stack.splice(start);
  }

  #popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new PickleError('there is no mark');
    return this.#stack.splice(mark);
  }

  /** Moves on by `count` bytes. @returns where they begin. */
  #take(count: number): number {
    const at = this.#position;
    if (count > this.#bytes.length - at) {
      throw new PickleEndError(`ends at byte ${this.#bytes.length}, within the pickle`, at);
    }
    this.#position += count;
    return at;
  }

  #slice(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  #uint8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #uint64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value > BigInt(MAX_PICKLE_BYTES)) throw new PickleError(`a string of ${value} bytes`);
    return Number(value);
  }

  /** Two's complement, little-endian. */
  #integer(bytes: number): number | bigint {
    if (bytes < 0 || bytes > MAX_INTEGER_BYTES) throw new PickleError(`an integer of ${bytes} bytes`);
    let value = 0n;
    for (const byte of this.#slice(bytes).toReversed()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(bytes * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  #utf8(bytes: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#slice(bytes));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new PickleError(`a string of ${bytes} bytes is not UTF-8`);
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw new PickleEndError(`ends at byte ${this.#bytes.length}, within the pickle`, this.#opcodeAt);
    const text = this.#utf8(end - this.#position);
    this.#take(1);
    return text;
  }
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
