/** The deployment that moderation tests in workerd run against: its sources, receivers and secrets. */

/** Secret of source `shop`. */
export const SHOP_SECRET = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
/** Secret that source `shop` is rotating to. */
export const SHOP_NEXT_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
/** Secret that source `shop` no longer uses. */
export const SHOP_RETIRED_SECRET = `whsec_${btoa('retired-secret-of-thirty-two-by')}`;
/** Shared secret of source `hub`, which signs as GitHub does. */
export const HUB_SECRET = "It's a Secret to Everybody";
/** Secret of receiver `shop`. */
export const RECEIVER_SECRET = `whsec_${btoa('receiver-secret-of-32-characters')}`;
/** URL of receiver `shop`; everything below it is receiver's too. */
export const RECEIVER_URL = 'https://shop.example.com/hooks/';

/** Bindings over those of wrangler.toml. */
export const moderationBindings = {
  MODERATION: JSON.stringify({
    sources: [
      {
        name: 'shop',
        secrets: [SHOP_SECRET, SHOP_NEXT_SECRET],
        retired_secrets: [SHOP_RETIRED_SECRET],
        receivers: ['shop'],
      },
      { name: 'hub', scheme: 'github', secrets: [HUB_SECRET] },
    ],
    receivers: [
      { name: 'shop', url: RECEIVER_URL, secrets: [RECEIVER_SECRET] },
      { name: 'other', url: 'https://other.example.com/hooks', secrets: [RECEIVER_SECRET] },
    ],
    buckets: [{ name: 'bit-edge-uploads', binding: 'UPLOADS', prefixes: ['incoming/'] }],
    r2_rules: [
      { name: 'uploads', bucket: 'bit-edge-uploads', prefix: 'incoming/', policy: 'strict', receiver: 'shop' },
    ],
  }),
} as const;
