declare namespace Cloudflare {
  interface Env {
    /** test/support/fixture-service.ts */
    FIXTURES: Fetcher;
  }
}
