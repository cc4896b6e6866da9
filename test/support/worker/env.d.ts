declare namespace Cloudflare {
  interface Env {
    /** test/support/fixture-service.ts */
    FIXTURES: Fetcher;
    /** Cloudflare Images as miniflare has it; vitest.config.ts. */
    TEST_IMAGES: ImagesBinding;
  }
}
