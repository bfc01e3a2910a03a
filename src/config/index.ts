export { type ObjectSchema, sinkSchema, sourceSchema } from './block-schemas.ts';
export type { Config, ConnectionConfig, Options, Refreshable, SinkConfig, SourceConfig } from './config.ts';
export { describeOptions } from './describe-options.ts';
export { configJsonSchema } from './editor-schema.ts';
export { type LoadOptions, loadConfig } from './load-config.ts';
export type { LoadConnector } from './load-context.ts';
