/** The bodies that image routes take. */
import * as z from 'zod';
import type { Content } from './operation.ts';

const reference = z.union([
  z.string().describe('base64 or a data: URI'),
  z.strictObject({ url: z.string() }),
  z.strictObject({ r2: z.union([z.string(), z.strictObject({ bucket: z.string(), key: z.string() })]) }),
]);
const imageSource = {
  image: reference.optional(),
  images: z.array(reference).min(1).optional(),
  url: z.string().optional(),
  r2: z.union([z.string(), z.strictObject({ bucket: z.string(), key: z.string() })]).optional(),
};

/** The bodies of image routes: one of `image`, `images`, `url` and `r2` with the parameters, bytes, or a form. */
export function imageBody(parameters: z.ZodObject): Content {
  return {
    'application/octet-stream': 'binary',
    'image/*': 'binary',
    'application/json': z.strictObject({ ...imageSource, ...parameters.shape }),
    'multipart/form-data': 'binary',
  };
}
