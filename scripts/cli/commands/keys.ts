/** `bit-edge keys`: API keys of a deployment: create, list, revoke. */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  KEY_RANDOM_BYTES,
  mintApiKey,
  RATE_TIERS,
  type RateTier,
  SCOPES,
  type Scope,
} from '../../../worker/auth/api-key.ts';
import { deleteApiKey, listApiKeys, putApiKey } from '../../../worker/auth/key-store.ts';
import { RequestError } from '../../../worker/errors.ts';
import { withStore } from '../store/open-store.ts';

/** What `--help` prints. */
export const HELP = `usage: bit-edge keys create --name NAME [--scopes classify,embed,...] [--expires RFC3339] [--tier standard|high]
       bit-edge keys list
       bit-edge keys revoke ID
options: [--remote] [--state FOLDER] [--json]

create prints the key once; only its SHA-256 is stored. Scopes: ${SCOPES.join(', ')}; default: classify,embed.
revoke is seen by every isolate within half a minute. To rotate without downtime, create a second key, move the clients, revoke the first.
Without --remote the keys of the local bucket are meant. Exit code 1 where there is no such key.
`;

/** Runs the command. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      name: { type: 'string', default: '' },
      scopes: { type: 'string', default: 'classify,embed' },
      expires: { type: 'string' },
      tier: { type: 'string', default: 'standard' },
      remote: { type: 'boolean', default: false },
      state: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [action, id] = positionals;
  const where = { remote: values.remote, ...(values.state === undefined ? {} : { persistPath: `${values.state}/v3` }) };
  const print = (text: string, json: unknown): void =>
    void process.stdout.write(values.json ? `${JSON.stringify(json)}\n` : text);
  if (action === 'create' && values.name !== '') {
    const key = {
      name: values.name,
      scopes: parseScopes(values.scopes),
      rateTier: parseTier(values.tier),
      createdAt: new Date().toISOString(),
      expiresAt: parseExpiry(values.expires),
    };
    const { token, record } = await mintApiKey(key, randomBytes(KEY_RANDOM_BYTES));
    await withStore(where, ({ store }) => putApiKey(store, record));
    print(`${token}\n`, { id: record.id, token, scopes: record.scopes, expires_at: record.expires_at });
    return 0;
  }
  if (action === 'list') {
    const records = await withStore(where, ({ store }) => listApiKeys(store));
    const lines = records.map(
      (each) =>
        `${each.id}  ${each.name.padEnd(24)}${each.scopes.join(',').padEnd(32)}${each.expires_at ?? 'never expires'}\n`,
    );
    print(
      lines.length === 0 ? 'there are no keys\n' : lines.join(''),
      records.map(({ sha256: _, ...rest }) => rest),
    );
    return 0;
  }
  if (action === 'revoke' && id !== undefined) {
    const revoked = await withStore(where, ({ store }) => deleteApiKey(store, id));
    print(revoked ? `revoked ${id}\n` : `there is no key ${id}\n`, { id, revoked });
    return revoked ? 0 : 1;
  }
  process.stderr.write(HELP);
  return 2;
}

function parseScopes(text: string): Scope[] {
  return text.split(',').map((scope) => {
    const found = SCOPES.find((each) => each === scope.trim());
    if (found !== undefined) return found;
    throw new RequestError('invalid_parameter', `there is no scope "${scope}"; scopes: ${SCOPES.join(', ')}`);
  });
}

function parseTier(text: string): RateTier {
  const tier = RATE_TIERS.find((each) => each === text);
  if (tier !== undefined) return tier;
  throw new RequestError('invalid_parameter', `there is no tier "${text}"; tiers: ${RATE_TIERS.join(', ')}`);
}

function parseExpiry(text: string | undefined): string | null {
  if (text === undefined) return null;
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new RequestError('invalid_parameter', `--expires is "${text}"; it must be an RFC 3339 date`);
  return new Date(ms).toISOString();
}
