export type { Config } from './config.ts';
export { configJsonSchema } from './editor-schema.ts';
export { loadConfig, readConnectorsDir, readDataDir } from './load-config.ts';
export { sinkChoiceFor, sinkChoiceLike, sinkChoices } from './sink-words.ts';
export { placeholdersIn, renderStarter } from './starter.ts';
