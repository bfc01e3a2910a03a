import { faultsError } from '../base/yaml-faults.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { ConnectionConfig, Options, Refreshable } from './config.ts';
import type { LoadContext, NamedBlock } from './load-context.ts';
import { type Block, type BlockSchema, readBlock } from './read-block.ts';

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
    options: optionsOf(block.value, http),
    http,
    resolveOptions: async () => (await reread()).options,
    resolveHttp: async () => (await reread()).http,
  };
}
