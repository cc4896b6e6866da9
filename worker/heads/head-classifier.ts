/**
 * The classifier that knows heads: a head's name stands for its backbone, run once, and the head's logits on its pooled features.
 * A head has no session of its own: ten heads on a backbone take one heap.
 */
import type { Manifest } from '../../model-store/manifest.ts';
import { ModelError } from '../errors.ts';
import {
  type Classification,
  type Classifier,
  type ClassifyOptions,
  classificationOf,
  type Inference,
  type ModelReference,
} from '../inference/classifier.ts';
import type { Tensor } from '../inference/inference-session.ts';
import type { WaitUntil } from '../inference/model-host.ts';
import type { FoundHead, HeadLibrary } from './head-library.ts';
import { applyHead, type HeadModel, headLabels } from './math/head-model.ts';

const POOLED = 'pooler_output';
const LOGITS = 'logits';

/** Answers as `Classifier` does. */
export class HeadClassifier {
  readonly #backbones: Pick<Classifier, 'infer'>;
  readonly #library: HeadLibrary;

  constructor(backbones: Pick<Classifier, 'infer'>, library: HeadLibrary) {
    this.#backbones = backbones;
    this.#library = library;
  }

  /** As `Classifier.classify`. */
  async classify(
    bytes: Uint8Array,
    reference: ModelReference,
    options: ClassifyOptions,
    waitUntil: WaitUntil,
  ): Promise<Classification> {
    return classificationOf(await this.infer(bytes, reference, [LOGITS], options, waitUntil), options);
  }

  /** As `Classifier.infer`; a head gives its own `logits`, and every other output of its backbone. */
  async infer(
    bytes: Uint8Array,
    reference: ModelReference,
    outputNames: readonly string[],
    options: Pick<ClassifyOptions, 'exact' | 'signal'>,
    waitUntil: WaitUntil,
  ): Promise<Inference> {
    const found = await this.#library.find(reference);
    if (found === null) return this.#backbones.infer(bytes, reference, outputNames, options, waitUntil);
    const head = await this.#library.load(found);
    const names = backboneOutputs(outputNames);
    const inference = await this.#backbones.infer(bytes, backboneOf(found), names, options, waitUntil);
    return applyToInference(head, found, outputNames, inference);
  }
}

/** The backbone of a head, as it is named. */
export function backboneOf({ version }: FoundHead): ModelReference {
  return { name: version.backbone.name, reference: version.backbone.version };
}

/** What the backbone has to give for outputs of a head. */
export function backboneOutputs(names: readonly string[]): string[] {
  return [...new Set([...names.filter((name) => name !== LOGITS), POOLED])];
}

/** A backbone's answer as the head's. */
export function applyToInference(
  head: HeadModel,
  found: FoundHead,
  outputNames: readonly string[],
  inference: Inference,
): Inference {
  const all = withHeadLogits(head, inference.outputs);
  const outputs = new Map([...all].filter(([name]) => outputNames.includes(name)));
  const manifest = headManifest(inference.model.manifest, head, found);
  return { ...inference, outputs, model: { manifest, labels: headLabels(head) } };
}

/** A backbone's outputs, `pooler_output` among them, with the head's `logits`. */
export function withHeadLogits(head: HeadModel, outputs: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...outputs, [LOGITS, headLogits(head, outputs.get(POOLED))]]);
}

/** A head's logits `[1, labels]` on pooled features `[1, dimensions, ...]`. */
function headLogits(head: HeadModel, pooled: Tensor | undefined): Tensor {
  if (pooled?.type !== 'float32' || pooled.data.length !== head.dimensions) {
    const given = pooled === undefined ? 'nothing' : `${pooled.type} [${pooled.shape}]`;
    throw new ModelError('model_failed', `the backbone gave ${given}; the head takes ${head.dimensions} float32`);
  }
  const data = applyHead(head, pooled.data);
  return { type: 'float32', shape: [1, data.length], data };
}

/** The backbone's manifest under the head's name: it answers with other labels, and the function that fits them. */
export function headManifest(backbone: Manifest, head: HeadModel, { name, version }: FoundHead): Manifest {
  const labels = headLabels(head).length;
  const variants = Object.fromEntries(
    Object.entries(backbone.variants).map(([key, variant]) => [
      key,
      {
        ...variant,
        outputs: variant.outputs.map((output) =>
          output.name === LOGITS ? { ...output, shape: [...output.shape.slice(0, 1), labels] } : output,
        ),
      },
    ]),
  );
  return {
    ...backbone,
    name,
    version: version.version,
    created_at: version.created_at,
    num_labels: labels,
    function_to_apply: head.multiLabel ? 'sigmoid' : 'softmax',
    variants,
  };
}
