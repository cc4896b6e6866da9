/** Labels of a photo with the typed client: `npx node examples/typed-client.ts photo.jpg [http://127.0.0.1:8787] [key]`. */
import { readFile } from 'node:fs/promises';
import { BitEdgeClient, BitEdgeError, type Classification } from 'bit-edge/client';

const [photo = 'examples/lemon.png', baseUrl = 'http://127.0.0.1:8787', apiKey] = process.argv.slice(2);
const client = new BitEdgeClient({ baseUrl, ...(apiKey !== undefined && { apiKey }) });

try {
  const answer: Classification = await client.classify(new Uint8Array(await readFile(photo)), { top_k: 3 });
  for (const { label, score } of answer.predictions) console.log(`${(100 * score).toFixed(1)} % ${label}`);
} catch (error) {
  if (error instanceof BitEdgeError) {
    console.error(`${error.problem.code}: ${error.problem.detail} (request ${error.problem.request_id})`);
  } else console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
