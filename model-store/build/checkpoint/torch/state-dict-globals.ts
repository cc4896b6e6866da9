/**
 * The globals that a pickled state dict may name: a closed list. Everything else is refused by name, and nothing that a
 * pickle names is ever run: what stands here in a global's place only describes tensors. Pure, no I/O.
 * Source: torch 2.13 `_weights_only_unpickler.py` (`_get_allowed_globals`), less what no checkpoint of a network needs,
 * and the inert records that training scripts leave beside the weights.
 */
import { PickleError } from './pickle-machine.ts';
import {
  describeValue,
  PickleDict,
  PickleFunction,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from './pickle-values.ts';
import { rebuildTensor, TorchDtype, TorchStorageType, TorchTensor } from './torch-tensor.ts';

const FLOAT = new TorchDtype('float32', 'F32', 4);
const DOUBLE = new TorchDtype('float64', 'F64', 8);
const HALF = new TorchDtype('float16', 'F16', 2);
const BFLOAT16 = new TorchDtype('bfloat16', 'BF16', 2);
const LONG = new TorchDtype('int64', 'I64', 8);
const INT = new TorchDtype('int32', 'I32', 4);
const SHORT = new TorchDtype('int16', 'I16', 2);
const CHAR = new TorchDtype('int8', 'I8', 1);
const BYTE = new TorchDtype('uint8', 'U8', 1);
const BOOL = new TorchDtype('bool', 'BOOL', 1);
const FLOAT8_E4M3 = new TorchDtype('float8_e4m3fn', 'F8_E4M3', 1);
const FLOAT8_E5M2 = new TorchDtype('float8_e5m2', 'F8_E5M2', 1);

const DTYPES: readonly TorchDtype[] = [
  FLOAT,
  DOUBLE,
  HALF,
  BFLOAT16,
  LONG,
  INT,
  SHORT,
  CHAR,
  BYTE,
  BOOL,
  FLOAT8_E4M3,
  FLOAT8_E5M2,
];

const STORAGES: Readonly<Record<string, TorchDtype | null>> = {
  FloatStorage: FLOAT,
  DoubleStorage: DOUBLE,
  HalfStorage: HALF,
  BFloat16Storage: BFLOAT16,
  LongStorage: LONG,
  IntStorage: INT,
  ShortStorage: SHORT,
  CharStorage: CHAR,
  ByteStorage: BYTE,
  BoolStorage: BOOL,
  UntypedStorage: null,
};

const GLOBALS: ReadonlyMap<string, PickleValue> = new Map<string, PickleValue>([
  ...['collections.OrderedDict', 'builtins.dict', '__builtin__.dict'].map((name) => entry(name, makeDict)),
  ...['builtins.list', '__builtin__.list', 'builtins.set', '__builtin__.set'].map((name) => entry(name, makeList)),
  entry('collections.defaultdict', () => new PickleDict()),
  entry('collections.Counter', () => new PickleDict()),
  entry('_codecs.encode', encode),
  entry('torch._utils._rebuild_tensor', ([storage, offset, shape, strides]) =>
    rebuildTensor(storage, offset, shape, strides, null),
  ),
  entry('torch._utils._rebuild_tensor_v2', ([storage, offset, shape, strides]) =>
    rebuildTensor(storage, offset, shape, strides, null),
  ),
  entry('torch._utils._rebuild_tensor_v3', ([storage, offset, shape, strides, , , dtype]) => {
    if (dtype instanceof TorchDtype) return rebuildTensor(storage, offset, shape, strides, dtype);
    throw new PickleError(`${dtype === undefined ? 'nothing' : describeValue(dtype)} is not an element type`);
  }),
  entry('torch._utils._rebuild_parameter', parameter),
  entry('torch._utils._rebuild_parameter_with_state', parameter),
  entry('torch.nn.parameter.Parameter', parameter),
  entry('torch.Size', ([sizes]) => (sizes instanceof PickleTuple ? sizes : new PickleTuple([]))),
  // What training scripts keep beside the weights: settings, devices, versions, metrics. None of it is looked at.
  ...[
    'argparse.Namespace',
    'torch.device',
    'torch.torch_version.TorchVersion',
    'numpy.dtype',
    'numpy.core.multiarray.scalar',
    'numpy._core.multiarray.scalar',
    'pathlib.PosixPath',
    'pathlib.WindowsPath',
  ].map((name) => entry(name, () => new PickleObject(name))),
  ...DTYPES.map((dtype) => [dtype.description, dtype] as const),
  ...Object.entries(STORAGES).flatMap(([name, elements]) =>
    ['torch', 'torch.storage', 'torch.cuda'].map(
      (module) => [`${module}.${name}`, new TorchStorageType(`${module}.${name}`, elements)] as const,
    ),
  ),
]);

/**
 * The value of a global.
 * @throws PickleError naming it where it is not on the list.
 */
export function findStateDictGlobal(module: string, name: string): PickleValue {
  const value = GLOBALS.get(`${module}.${name}`);
  if (value !== undefined) return value;
  const full = `${module}.${name}`.slice(0, 120);
  throw new PickleError(`it asks for ${JSON.stringify(full)}, which no state dict needs; nothing was run`, -1, full);
}

function entry(name: string, call: PickleFunction['call']): readonly [string, PickleFunction] {
  return [name, new PickleFunction(name, call)];
}

/** `OrderedDict()` or, from Python 2, `OrderedDict([[key, value], ...])`. */
function makeDict([pairs]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  if (pairs === undefined) return dict;
  if (pairs instanceof PickleDict) {
    for (const [key, value] of pairs.entries) dict.entries.set(key, value);
    return dict;
  }
  for (const pair of sequence(pairs)) {
    const [key, value, ...rest] = sequence(pair);
    if (key === undefined || value === undefined || rest.length > 0) throw new PickleError('a dict of no pairs');
    dict.entries.set(key, value);
  }
  return dict;
}

function makeList([items]: readonly PickleValue[]): PickleList {
  const list = new PickleList();
  for (const item of items === undefined ? [] : sequence(items)) list.items.push(item);
  return list;
}

function sequence(value: PickleValue): readonly PickleValue[] {
  if (value instanceof PickleList || value instanceof PickleTuple) return value.items;
  throw new PickleError(`${describeValue(value)} is not a sequence`);
}

/** How protocol 2 spells bytes: `encode(text, 'latin1')`. */
function encode([text]: readonly PickleValue[]): Uint8Array {
  if (typeof text !== 'string') throw new PickleError('bytes that are not text');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function parameter([data]: readonly PickleValue[]): TorchTensor {
  if (data instanceof TorchTensor) return data;
  throw new PickleError(`a parameter made of ${data === undefined ? 'nothing' : describeValue(data)}`);
}
