/**
 * The named environments of wrangler.toml: the bindings of its top level under other names. wrangler inherits settings but no
 * bindings, so the blocks have to be there; they are written by `npm run environments`, and a test compares them. Pure, no I/O.
 */

/** Separates what people write from what `npm run environments` writes. */
export const ENVIRONMENTS_MARKER =
  '# Environments. Written by "npm run environments" from the blocks above; edit those.';

/** One environment: its name for `wrangler --env`, and what stands for `bit-edge` in the names of its resources. */
interface Environment {
  readonly name: string;
  readonly prefix: string;
  /** Added to the namespaces of the rate limits, which are an account's. */
  readonly namespaceOffset: number;
}

/** Production has the names of the top level: it is what a deploy without `--env` deploys. */
const ENVIRONMENTS: readonly Environment[] = [
  { name: 'staging', prefix: 'bit-edge-staging', namespaceOffset: 1000 },
  { name: 'production', prefix: 'bit-edge', namespaceOffset: 0 },
];

/** Tables that wrangler does not inherit. https://developers.cloudflare.com/workers/wrangler/configuration/#non-inheritable-keys */
const NOT_INHERITED = /^\[\[(r2_buckets|queues\.producers|queues\.consumers|durable_objects\.bindings|ratelimits)\]\]$/;

/** The names of all environments. */
export const ENVIRONMENT_NAMES: readonly string[] = ENVIRONMENTS.map(({ name }) => name);

/**
 * Gives wrangler.toml with its environments written anew.
 * @param text the whole file.
 */
export function withEnvironments(text: string): string {
  const [base = ''] = text.split(ENVIRONMENTS_MARKER);
  const blocks = bindingBlocks(base);
  const sections = ENVIRONMENTS.map((environment) =>
    [
      `[env.${environment.name}]\nname = "${environment.prefix}"`,
      ...blocks.map((lines) => lines.map((line) => renamed(line, environment)).join('\n')),
    ].join('\n\n'),
  );
  return `${base.trimEnd()}\n\n${ENVIRONMENTS_MARKER}\n\n${sections.join('\n\n')}\n`;
}

/** The blocks that are not inherited, as lines without comments. */
function bindingBlocks(base: string): string[][] {
  const blocks: string[][] = [];
  let block: string[] | undefined;
  for (const line of base.split('\n')) {
    if (line.startsWith('[')) {
      block = NOT_INHERITED.test(line) ? [line] : undefined;
      if (block !== undefined) blocks.push(block);
    } else if (block !== undefined && line.trim() !== '' && !line.startsWith('#')) block.push(line);
  }
  return blocks;
}

function renamed(line: string, { name, prefix, namespaceOffset }: Environment): string {
  return line
    .replace(/^\[\[/, `[[env.${name}.`)
    .replace(/"bit-edge-/, `"${prefix}-`)
    .replace(/^(namespace_id = )"(\d+)"/, (_, key: string, id: string) => `${key}"${Number(id) + namespaceOffset}"`);
}
