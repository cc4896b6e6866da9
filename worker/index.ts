/** The worker's entry. */
import { R2ObjectStore } from '../model-store/r2-object-store.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';
import { wasmModule } from './inference/wasm-module.ts';
import { createServices, type Services } from './services.ts';

let services: Services | undefined;

const app = createApp((env) => {
  services ??= createServices(readConfig({ ...env }), new R2ObjectStore(env.MODELS), wasmModule);
  return services;
});

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
