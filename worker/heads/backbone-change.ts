/** A head that goes to another version of a backbone: every example is embedded again, or nothing is changed. */
import { HeadError } from '../errors.ts';
import type { ExampleStore } from './example-store.ts';
import type { HeadSettings } from './records.ts';
import { checkDimensions } from './room.ts';

/**
 * Has every example embedded again by another backbone. What is synchronous here cannot be seen half done.
 * @param dimensions of its embedding.
 * @returns the settings as they are to be.
 * @throws HeadError `head_backbone_changed` where a picture was not kept, `head_limit_exceeded`; then nothing is changed.
 */
export function changeBackbone(
  settings: HeadSettings,
  examples: ExampleStore,
  backbone: HeadSettings['backbone'],
  dimensions: number,
): HeadSettings {
  const { name, keepPictures } = settings;
  const lost = examples.withoutPicture(keepPictures);
  const target = `${backbone.name}@${backbone.version}`;
  if (lost.count > 0) {
    throw new HeadError(
      'head_backbone_changed',
      `${lost.count} examples of ${name} cannot be embedded by ${target}: their pictures were not kept (${lost.first}, ...)`,
      { details: { examples: lost.count, example: lost.first, backbone: target } },
    );
  }
  const changed = { ...settings, backbone, dimensions };
  checkDimensions(changed, examples);
  examples.forgetEmbeddings();
  return changed;
}
