/** `POST /v1/features`: images in, feature maps of the backbone's stages out (`BitBackbone`), as far as the version's graph gives them. */
import { ModelError } from '../errors.ts';
import { type EncodedFloats, encodeFloats } from '../float-encoding.ts';
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

/** The route. */
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
        const tensor = outputs.get(output);
        if (tensor?.type !== 'float32') throw new ModelError('model_failed', `the graph gave no float32 ${output}`);
        return { name: output, shape: tensor.shape.slice(1), data: encodeFloats(tensor.data, encoding) };
      }),
      image: info,
      timing,
    };
  },
});
