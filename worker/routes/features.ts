/** `POST /v1/features`: images in, feature maps of the backbone's stages out (`BitBackbone`), as far as the version's graph gives them. */

import { type EncodedFloats, encodeFloats } from '../float-encoding.ts';
import { float32Output } from '../inference/float32-output.ts';
import { imageTaskRoute, type TaskAnswer } from './support/image-task.ts';
import { type FeaturesParameters, featuresParametersSchema } from './support/parameters.ts';

interface FeaturesAnswer extends TaskAnswer {
  readonly features: readonly {
    readonly name: string;
    /** `[C, H, W]`. */
    readonly shape: readonly number[];
    readonly data: EncodedFloats;
  }[];
}

export const featuresRoute = imageTaskRoute<FeaturesParameters, FeaturesAnswer>({
  path: '/v1/features',
  name: 'features',
  scope: 'embed',
  parameters: featuresParametersSchema,
  cacheKey: ({ outputs, encoding, exact }) => ({ outputs: outputs.join(','), encoding, exact }),
  async compute(c, image, reference, { outputs: names, encoding, exact }) {
    const {
      model,
      outputs,
      image: info,
      timing,
    } = await c.var.services.classifier.infer(image, reference, names, { exact, signal: c.req.raw.signal }, (promise) =>
      c.executionCtx.waitUntil(promise),
    );
    const { name, version } = model.manifest;
    return {
      model: { name, version },
      features: names.map((output) => {
        const { shape, data } = float32Output(outputs, output);
        return { name: output, shape: shape.slice(1), data: encodeFloats(data, encoding) };
      }),
      image: info,
      timing,
    };
  },
});
