import { hash } from 'node:crypto';
import { canonicalJson, isObject } from '../base/json.ts';
import { isLoopback } from '../base/loopback.ts';
import { type Fault, faultsError, type YamlPath, type YamlText } from '../base/yaml-faults.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { ConnectionConfig, Options, Refreshable } from './config.ts';
import { placeholder } from './interpolate.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';
import { type Block, type BlockSchema, readBlock } from './read-block.ts';

const mostFileBytes = 1_048_576;

/** What the schema of `tls:` cannot say, and whether its files are there; `at` is the block that holds it. */
export async function checkTls(tls: TlsOptions | undefined, at: YamlPath, context: LoadContext): Promise<void> {
  if (tls === undefined) return;
  const { doc, faults, warnings } = context;
  const place = [...at, 'tls'];
  if (tls.insecure_skip_verify === true) {
    warnings.push(
      doc.fault([...place, 'insecure_skip_verify'], 'certificates are not checked', 'remove it; set ca_file or pin_sha256'),
    );
  }
  if ((tls.cert_file === undefined) !== (tls.key_file === undefined)) {
    const [has, lacks] = tls.cert_file === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
    faults.push(doc.fault([...place, has ?? ''], `${has} without ${lacks}`, `add ${lacks}`));
  }
  for (const option of ['ca_file', 'cert_file', 'key_file'] as const) {
    const path = tls[option];
    if (path !== undefined) await checkPem(path, [...place, option], context);
  }
}

/** Like secret files, certificates need not be on the machine that validates without secrets. */
async function checkPem(path: string, at: YamlPath, { doc, faults, from }: LoadContext): Promise<void> {
  if (from.withoutSecrets) return;
  const report = (what: string, fix: string): void => void faults.push(doc.fault(at, what, fix));
  try {
    const info = await from.files.stat(path);
    if (!info.isFile() || info.size > mostFileBytes) return report(`"${path}" is not a PEM file`, 'name a PEM file');
    const text = await from.files.readFile(path, 'latin1');
    if (!text.includes('-----BEGIN '))
      report(`"${path}" holds nothing in PEM form`, 'convert it: openssl x509 -inform der -in FILE');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      report(`file "${path}" does not exist`, 'create it, or correct the path; relative paths start at the configuration file');
    else report(`file "${path}" cannot be read (${code ?? 'unknown fault'})`, 'correct its permissions');
  }
}

const plain = /^(http|ws|tcp|udp|relp):\/\//i;

function isPlainBeyondLoopback(url: string): boolean {
  if (!plain.test(url) || url.includes(placeholder)) return false;
  const host = /^[a-z]+:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url)?.[1] ?? '';
  return !isLoopback(host);
}

/** Every text in a value that begins like a URL, with its path. */
export function urlsIn(value: unknown, at: YamlPath = []): { readonly path: YamlPath; readonly url: string }[] {
  if (typeof value === 'string') return /^[a-z]+:\/\//i.test(value) ? [{ path: at, url: value }] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => urlsIn(item, [...at, index]));
  return isObject(value) ? Object.entries(value).flatMap(([key, item]) => urlsIn(item, [...at, key])) : [];
}

/** Faults (or, when plain text is allowed, warnings) for the URLs of a block that travel unencrypted beyond this machine. */
export function plaintextFaults(
  urls: readonly { readonly path: YamlPath; readonly url: string }[],
  isAllowed: boolean,
  doc: YamlText,
): Fault[] {
  return urls
    .filter(({ url }) => isPlainBeyondLoopback(url))
    .map(({ path, url }) => {
      const scheme = url.slice(0, url.indexOf(':'));
      const what = `${scheme}:// sends events and credentials unencrypted beyond this machine`;
      return isAllowed
        ? doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'} as soon as the other side can`)
        : doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'}, or add "allow_plaintext: true" beside it`);
    });
}

const encrypted: Readonly<Record<string, string>> = {
  http: 'https://',
  ws: 'wss://',
  tcp: 'tls://',
  udp: 'tls://',
  relp: 'relps://',
};

/** How a block reaches the network: what it says itself, else what stands at the top of the file. */
function connectionOf(block: Readonly<Record<string, unknown>>, top: ConnectionConfig): ConnectionConfig {
  const tls = (block['tls'] as TlsOptions | undefined) ?? top.tls;
  const proxy = (block['proxy'] as string | undefined) ?? top.proxy;
  return {
    tls,
    proxy,
  };
}

/**
 * Makes the part of a source or sink that can be read again. `optionsOf` picks the options of its kind out of the checked block, and
 * gets the connection too, because some kinds open their sockets themselves.
 */
export function refreshable(
  block: Block,
  { at, raw }: NamedBlock,
  schema: BlockSchema,
  context: LoadContext,
  optionsOf: (value: Readonly<Record<string, unknown>>, http: ConnectionConfig) => Options,
): Refreshable {
  const reread = async (): Promise<{ options: Options; http: ConnectionConfig }> => {
    const { value, faults } = await readBlock(raw, at, schema, context.doc, context.from);
    if (faults.length > 0) throw faultsError('PEN_CONFIG_INVALID', faults);
    const http = connectionOf(value, await context.readTop());
    return { options: optionsOf(value, http), http };
  };
  const http = connectionOf(block.value, context.top);
  return {
    key: hash('sha256', canonicalJson([raw, block.value, http, context.from.dir])),
    options: optionsOf(block.value, http),
    http,
    resolveOptions: async () => (await reread()).options,
    resolveHttp: async () => (await reread()).http,
  };
}
