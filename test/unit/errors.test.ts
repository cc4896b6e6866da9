import { expect, it } from 'vitest';
import { AppError, ImageError } from '../../worker/errors.ts';

it('keeps the code, numbers and cause of an error, and the name of its class', () => {
  const cause = new Error('inner');
  const error = new ImageError('image_too_large', 'image is 9000x9000 = 81.0 MP; limit 50 MP', {
    details: { width: 9000, height: 9000 },
    cause,
  });
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: 'image_too_large', name: 'ImageError', details: { width: 9000 }, cause });
});
