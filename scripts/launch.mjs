// Starts a TypeScript script of this folder, or says in one line what is missing. Plain JavaScript, so that an old Node can read it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MIN_NODE_MAJOR = 24;
const root = fileURLToPath(new URL('..', import.meta.url));
const [script, ...args] = process.argv.slice(2);

if (Number(process.versions.node.split('.')[0]) < MIN_NODE_MAJOR) {
  process.stderr.write(
    `bit-edge: this is Node ${process.versions.node}; Node ${MIN_NODE_MAJOR} comes with "npm ci" and is used by "npm start" and "npm run".\n`,
  );
  process.exit(1);
}
if (!existsSync(`${root}node_modules/wrangler`)) {
  process.stderr.write('bit-edge: the dependencies are not installed; run "npm ci" first.\n');
  process.exit(1);
}
process.argv.splice(1, process.argv.length - 1, `${root}scripts/${script}.ts`, ...args);
await import(new URL(`./${script}.ts`, import.meta.url).href);
