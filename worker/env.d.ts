/** Bindings that a deployment may add; `wrangler types` knows only those of wrangler.toml. */
interface Env {
  /** Workers Analytics Engine: one point a request (docs/operations.md). */
  ANALYTICS?: AnalyticsEngineDataset;
  /** Cloudflare Images: AVIF and HEIC are transcoded (docs/imaging.md). */
  IMAGES?: ImagesBinding;
}
