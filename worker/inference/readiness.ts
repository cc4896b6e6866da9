/**
 * Readiness: the default model is loaded and has been run a few times, so that no user pays for V8's tier-up.
 */
import type { ModelReference } from './classifier.ts';
import type { ModelHost, WaitUntil } from './model-host.ts';
import type { LoadedModel } from './model-loader.ts';

/** Runs until V8 has compiled all that is hot: BiT-R50x1 took 430, 350, 480, 270, 220 and then 150 ms. */
const WARM_RUNS = 5;

/** Warms one model up in the background and knows whether it is done. */
export class Readiness {
  readonly #host: ModelHost;
  readonly #reference: ModelReference;
  #warmed: LoadedModel | null = null;
  #warming = false;
  #reason = 'the default model is loading';

  constructor(host: ModelHost, reference: ModelReference) {
    this.#host = host;
    this.#reference = reference;
  }

  /** Why `check` said no. */
  get reason(): string {
    return this.#reason;
  }

  /** The warm model's name and version, or null; then warming has begun, and goes on behind the response. */
  check(waitUntil: WaitUntil): { readonly name: string; readonly version: string } | null {
    const warmed = this.#warmed;
    if (warmed !== null && !warmed.session.released && warmed.session.abortReason === null) {
      return { name: warmed.manifest.name, version: warmed.manifest.version };
    }
    if (!this.#warming) {
      this.#warming = true;
      waitUntil(this.#warm(waitUntil));
    }
    return null;
  }

  async #warm(waitUntil: WaitUntil): Promise<void> {
    const { name, reference } = this.#reference;
    try {
      const model = await this.#host.get(name, reference, waitUntil);
      for (let run = 0; run < WARM_RUNS; run++) {
        this.#host.run(model, blankInput(model), [model.variant.outputs[0]!.name]);
        // Requests come in between: each run holds the isolate.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      this.#warmed = model;
      this.#reason = 'the default model was replaced and is loading';
    } catch (error) {
      this.#reason = `the default model ${name}@${reference} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.#warming = false;
    }
  }
}

function blankInput(model: LoadedModel) {
  const shape = model.input.shape.map((size) => (typeof size === 'number' ? size : 1));
  const elements = shape.reduce((product, size) => product * size, 1);
  return { type: 'float32', shape, data: new Float32Array(elements) } as const;
}
