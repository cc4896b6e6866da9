/**
 * What a pickle can hold, once read. Pure, no I/O. Nothing here comes from running what a pickle names: functions are
 * the few that the reader itself brings along.
 */

/** A value of a pickle. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleObject
  | PickleFunction;

/** A list or a set. */
export class PickleList {
  readonly items: PickleValue[];
  constructor(items: PickleValue[] = []) {
    this.items = items;
  }
}

/** A tuple. */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A dict, in the order of the file. */
export class PickleDict {
  readonly entries = new Map<PickleValue, PickleValue>();
}

/** Something that the reader's own functions make: a tensor, a storage, an element type. */
export class PickleObject {
  /** For messages. */
  readonly description: string;
  constructor(description: string) {
    this.description = description;
  }
}

/** A global that may be called with a pickle's arguments. */
export class PickleFunction {
  /** `module.name`, as the pickle spells it. */
  readonly name: string;
  readonly call: (args: readonly PickleValue[]) => PickleValue;
  constructor(name: string, call: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    this.call = call;
  }
}

/** What a value is, for messages. */
export function describeValue(value: PickleValue): string {
  if (value === null) return 'None';
  if (value instanceof PickleObject) return value.description;
  if (value instanceof PickleFunction) return value.name;
  if (value instanceof PickleList) return `a list of ${value.items.length}`;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length}`;
  if (value instanceof PickleDict) return `a dict of ${value.entries.size}`;
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value).slice(0, 80);
}
