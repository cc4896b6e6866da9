/** Where we differ from a reference on purpose: the one list. Whatever else differs is a defect. */

/** One deliberate difference. */
export interface Difference {
  /** As test data names it. */
  readonly id: string;
  readonly area: string;
  readonly reference: string;
  readonly ours: string;
  readonly why: string;
}

/** All of them, by area. */
export const DIFFERENCES: readonly Difference[] = [
  {
    id: 'png-gray-16',
    area: 'images',
    reference: 'Pillow clips 16-bit gray to 255 on its way to RGB: most pictures become white',
    ours: 'the high byte, as Pillow has it for 16-bit colour',
    why: 'the picture is kept',
  },
  {
    id: 'damaged-exif',
    area: 'images',
    reference: 'Pillow: damaged EXIF fails `exif_transpose`',
    ours: 'the picture is taken as upright',
    why: 'metadata is no reason to refuse a photo',
  },
  {
    id: 'png-large-metadata',
    area: 'images',
    reference: 'Pillow refuses a PNG whose ICC profile or text inflates to over 1 MiB',
    ours: 'profiles are not inflated, and texts only up to that size',
    why: 'the pixels are whole, and a bomb costs nothing',
  },
  {
    id: 'png-cut-behind-rows',
    area: 'images',
    reference: 'Pillow may refuse image data whose checksum alone is missing, depending on its last symbol',
    ours: 'accepted: every row is there',
    why: 'one rule for all files',
  },
  {
    id: 'jpeg-arithmetic-size',
    area: 'images',
    reference: 'Pillow reads arithmetic-coded JPEG only within its first 64 KiB',
    ours: 'of any size',
    why: "libjpeg's arithmetic decoder cannot wait for data; ours can",
  },
  {
    id: 'jpeg-lossless',
    area: 'images',
    reference: 'Pillow decodes lossless JPEG of 8 bits',
    ours: '`unsupported_image_feature`',
    why: 'no camera and no browser writes it',
  },
  {
    id: 'jpeg-filled-scans',
    area: 'images',
    reference: 'under LOAD_TRUNCATED_IMAGES a progressive JPEG cut between two scans is black',
    ours: 'with `allowTruncated`, the scans that are there are shown',
    why: 'it is what filling is for',
  },
  {
    id: 'bmp-filled-runs',
    area: 'images',
    reference: 'under LOAD_TRUNCATED_IMAGES run lengths that end early are refused',
    ours: 'with `allowTruncated`, the rest is index 0',
    why: 'it is what filling is for',
  },
  {
    id: 'webp-out-of-range',
    area: 'images',
    reference: "in damaged WebP files libwebp's pixels depend on the word size and the SIMD of the machine",
    ours: 'one answer everywhere; full blocks as SSE2 has them',
    why: 'the reference has no one answer',
  },
  {
    id: 'fast-jpeg',
    area: 'preprocessing',
    reference: 'transformers decodes a JPEG in full',
    ours: 'by default a JPEG of 4x the target or more is decoded at 1/2, 1/4 or 1/8, as `Image.draft` does; `exact=true` in full',
    why: 'a 12 MP photo in a tenth of the time; 0.3 to 0.7 of 255 steps in the mean',
  },
  {
    id: 'stem-padding',
    area: 'networks',
    reference: 'ONNX Runtime folds the zero padding of the stem into the max pool, of any plain export',
    ours: 'graphs pad with 1e-30, which is not folded',
    why: "it is torch's answer that counts: 7e-6 off instead of 2.3",
  },
  {
    id: 'webhook-bare-secret',
    area: 'webhooks',
    reference: 'standardwebhooks takes "hunter2" for base64',
    ours: 'a secret without `whsec_` must be padded base64',
    why: 'a password in its place is noticed when it is configured',
  },
  {
    id: 'webhook-signing-secret',
    area: 'webhooks',
    reference: 'standardwebhooks signs with a secret of any length',
    ours: 'secrets that sign callbacks have 24 to 64 bytes',
    why: 'the specification; what senders chose is taken as it is',
  },
  {
    id: 'webhook-id-dot',
    area: 'webhooks',
    reference: 'standardwebhooks takes ids with dots',
    ours: '`signature_invalid`',
    why: 'id, timestamp and body could be shifted against each other',
  },
  {
    id: 'hf-busy-429',
    area: 'errors',
    reference: "Hugging Face's API is 503 while it is busy",
    ours: '429 on its routes, 503 for a loading model alone',
    why: '@huggingface/inference repeats a 503 at once, for ever',
  },
  {
    id: 'oip-image',
    area: 'dialects',
    reference: 'a Triton model has the inputs of its graph',
    ours: 'beside `pixel_values` there is `image`, BYTES; a request has one of them',
    why: 'clients need not decode and preprocess',
  },
  {
    id: 'oip-index-ready',
    area: 'dialects',
    reference: 'in a Triton repository `UNAVAILABLE` does not answer',
    ours: 'it is loaded by its first request; the index is of the isolate that answers',
    why: 'isolates come and go',
  },
];
