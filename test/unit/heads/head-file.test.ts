/** Heads as files. */
import { expect, it } from 'vitest';
import { float32Tensor, readSafetensors, writeSafetensors } from '../../../model-store/safetensors.ts';
import { readHead, writeHead } from '../../../worker/heads/head-file.ts';
import type { HeadModel } from '../../../worker/heads/math/head-model.ts';

const HEAD: HeadModel = {
  classes: ['<a>', 'ü'],
  dimensions: 3,
  multiLabel: true,
  features: { kind: 'standardize', mean: Float32Array.of(1, 2, 3), deviation: Float32Array.of(4, 5, 6) },
  weight: Float32Array.of(1, 2, 3, 4, 5, 6),
  bias: Float32Array.of(7, 8),
  unknown: { means: Float32Array.of(1, 0, 0, 0, 1, 0), threshold: 0.25, slope: 8 },
};

it('are read as they were written, and the same head is the same bytes', () => {
  const bytes = writeHead(HEAD);
  expect(readHead(bytes, 'a head')).toEqual(HEAD);
  expect(writeHead(readHead(bytes, 'a head'))).toEqual(bytes);
});

it('are safetensors with a weight and a bias, as a linear layer has them', () => {
  const { tensors } = readSafetensors(writeHead(HEAD));
  expect(tensors.get('weight')!.shape).toEqual([2, 3]);
  expect(tensors.get('bias')!.shape).toEqual([2]);
});

it('are refused where a tensor does not fit the classes', () => {
  const { tensors, metadata } = readSafetensors(writeHead(HEAD));
  const short = new Map([...tensors, ['bias', float32Tensor([1], Float32Array.of(7))] as const]);
  const bytes = writeSafetensors(short, metadata);
  expect(() => readHead(bytes, 'a head')).toThrow(expect.objectContaining({ code: 'model_corrupt' }));
});
