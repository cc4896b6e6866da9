/** What is held against a reference, by area: each test of these files is one comparison. */

/** One area. */
export interface Area {
  readonly name: string;
  readonly what: string;
  /** The reference implementation and the version that its answers were taken from, or that is run. */
  readonly reference: string;
  /** Test files or folders, from the root of the project. */
  readonly tests: readonly string[];
}

/** All areas, in the order of the page. */
export const AREAS: readonly Area[] = [
  {
    name: 'images',
    what: 'pixels, sizes and refusals of JPEG, PNG, WebP, GIF, BMP and DIB files',
    reference: 'Pillow 12.3.0 (libjpeg-turbo 3.1.4.1, libwebp 1.6.0)',
    tests: [
      'test/unit/imaging/edge-cases.test.ts',
      'test/unit/imaging/fixtures.test.ts',
      'test/unit/imaging/jpeg/fixtures.test.ts',
      'test/unit/imaging/jpeg/goldens.test.ts',
      'test/unit/imaging/webp/goldens.test.ts',
    ],
  },
  {
    name: 'preprocessing',
    what: 'pixel_values of processor configurations, and the resizer alone',
    reference: 'transformers 5.18 BitImageProcessor (PIL), Pillow 12.3.0',
    tests: ['test/unit/preprocess'],
  },
  {
    name: 'networks',
    what: 'logits and hidden states of BiT networks, fp32 and the gpu form',
    reference: 'transformers 5.18 BitModel and BitForImageClassification, torch 2.13',
    tests: ['test/unit/model-store/build/graph'],
  },
  {
    name: 'checkpoints',
    what: 'files of Hugging Face, timm, Google and torch, and every published BiT: read, or refused with the reason',
    reference: 'transformers 5.18, timm, numpy, torch 2.13; published BiT of timm (15) and Google (15)',
    tests: ['test/unit/model-store/build/checkpoint', 'test/conformance/published-checkpoints.test.ts'],
  },
  {
    name: 'forms',
    what: 'multipart bodies as clients write them',
    reference: 'curl, requests, httpx, Node recorded; .NET, Go, OkHttp, browsers, Bun, Dart by their sources',
    tests: ['test/unit/form-data'],
  },
  {
    name: 'webhooks',
    what: 'signatures, headers and secrets, both directions',
    reference: 'standardwebhooks 1.1.1, svix 2.5.0, GitHub and Cloudinary as published',
    tests: ['test/unit/moderation/verify-request.test.ts', 'test/unit/callbacks/standard-webhooks.test.ts'],
  },
  {
    name: 'errors',
    what: 'every error code: how often clients of each dialect ask',
    reference: '@huggingface/inference 4.13.30, cloudflare 7.3.0',
    tests: ['test/unit/error-clients.test.ts'],
  },
  {
    name: 'dialects',
    what: 'Hugging Face, Workers AI, Open Inference Protocol v2 and Triton, in workerd',
    reference: '@huggingface/inference 4.13.30; KServe and Triton as specified',
    tests: ['test/worker/compatibility.test.ts', 'test/unit/oip'],
  },
  {
    name: 'scores',
    what: 'activations and best labels, also of one-label and multi-label models',
    reference: 'transformers 5.18 ImageClassificationPipeline',
    tests: ['test/worker/function-to-apply.test.ts'],
  },
];
