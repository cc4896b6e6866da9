/** What each name of a graph stands for, so far. */
import type { Quantization } from '../network.ts';
import { type Layout, type MapDraft, type Meaning, type NormDraft, positionsOf } from './drafts.ts';
import { contradiction, NotRecognized } from './reasons.ts';

/** The names of one graph. */
export class Meanings {
  readonly #byName = new Map<string, Meaning>();
  #groups: number | null = null;

  /** Groups of the group norms so far; null before the first. */
  get groups(): number | null {
    return this.#groups;
  }

  /** Every group norm has the same number. @throws NotRecognized. */
  setGroups(groups: number): void {
    if (this.#groups !== null && this.#groups !== groups) {
      throw new NotRecognized('groups', `group norms have ${this.#groups} and ${groups} groups`);
    }
    this.#groups = groups;
  }

  set(name: string, meaning: Meaning): void {
    this.#byName.set(name, meaning);
  }

  /** Undefined for constants, and for names that no node before gave. */
  get(name: string): Meaning | undefined {
    return this.#byName.get(name);
  }

  /** The float32 map whose rows a name stands for. @throws NotRecognized. */
  rowsOf(name: string): MapDraft {
    const view = this.viewOf(name);
    if (view.layout !== 'rows') throw new NotRecognized('pattern', `"${name}" are no rows`);
    return view.map;
  }

  /** The float32 map that a name stands for, and its layout. @throws NotRecognized. */
  viewOf(name: string): { readonly map: MapDraft; readonly layout: Layout } {
    const meaning = this.#byName.get(name);
    if (meaning?.kind === 'map') return meaning;
    if (meaning?.kind === 'norm') return { map: floatOf(meaning.norm, meaning.rectified, name), layout: 'rows' };
    throw new NotRecognized('pattern', `"${name}" is not a float32 map`);
  }

  /** How many values a row of averages averages. @throws NotRecognized. */
  averageOf(name: string): number {
    const meaning = this.#byName.get(name);
    if (meaning?.kind === 'average') return meaning.count;
    throw new NotRecognized('pattern', `"${name}" averages nothing`);
  }
}

/** The float32 map of a group norm. @throws NotRecognized where it is asked for with and without a ReLU. */
function floatOf(norm: NormDraft, rectified: boolean, name: string): MapDraft {
  decide(norm, rectified ? 'relu' : 'none');
  norm.float ??= mapOfNorm(norm, name, null);
  return norm.float;
}

/**
 * The 8-bit map of a group norm.
 * @throws NotRecognized where it is asked for with and without a ReLU, or on two grids.
 */
export function quantizedOf(norm: NormDraft, rectified: boolean, name: string, quantization: Quantization): MapDraft {
  // Below zero there is nothing in an unsigned grid that begins at zero: with or without a ReLU it is the same.
  if (rectified) decide(norm, 'relu');
  else if (quantization.zeroPoint !== 0) decide(norm, 'none');
  norm.quantized ??= mapOfNorm(norm, name, quantization);
  const there = norm.quantized.quantization!;
  if (there.scale !== quantization.scale || there.zeroPoint !== quantization.zeroPoint) {
    throw new NotRecognized('pattern', `"${name}" and "${norm.quantized.name}" are the same values on two grids`);
  }
  return norm.quantized;
}

function decide(norm: NormDraft, activation: 'relu' | 'none'): void {
  if (norm.activation !== null && norm.activation !== activation) {
    throw new NotRecognized('pattern', `"${norm.name}" is read with and without a ReLU`);
  }
  norm.activation = activation;
}

function mapOfNorm(norm: NormDraft, name: string, quantization: Quantization | null): MapDraft {
  const { height, width, channels } = norm.input;
  return { name, height, width, channels, quantization, producer: norm };
}

/**
 * Another layout of the same map.
 * @param shape what a `Reshape` asks for.
 * @throws NotRecognized where that is no layout; ModelError `model_corrupt` where it does not have the map's size.
 */
export function reshapedLayout(
  { map, layout }: { readonly map: MapDraft; readonly layout: Layout },
  shape: readonly number[],
  groups: number | null,
): Layout {
  const { height, width, channels, name } = map;
  const positions = positionsOf(map);
  const [batch, ...rest] = shape;
  const is = (...expected: number[]): boolean => {
    return rest.length === expected.length && expected.every((size, axis) => size === rest[axis]);
  };
  if (batch === -1) {
    if (layout === 'planes' && is(channels, positions)) return 'flat';
    if (layout === 'flat' && is(channels, height, width)) return 'planes';
    if (layout === 'groups' && is(channels, height, width)) return 'checkpoint';
    const perGroup = channels / (groups ?? channels);
    if (layout === 'planes' && groups !== null && is(perGroup, groups, positions)) return 'places';
  }
  if (rest.every((size) => size > 0) && rest.reduce((product, size) => product * size, 1) !== channels * positions) {
    throw contradiction(`"${name}" is ${channels}x${height}x${width}, and reshaped to [${shape}]`);
  }
  throw new NotRecognized('pattern', `"${name}" reshaped to [${shape}]`);
}

/** Another order of the same map's axes. @throws NotRecognized. */
export function transposedLayout(layout: Layout, permutation: readonly number[], name: string): Layout {
  const order = permutation.join();
  if (order === '0,2,1' && layout === 'flat') return 'rows';
  if (order === '0,2,1' && layout === 'rows') return 'flat';
  if (order === '0,2,1,3' && layout === 'places') return 'groups';
  throw new NotRecognized('pattern', `Transpose "${name}"`);
}
