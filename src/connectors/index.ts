export { compileConnector } from './compile.ts';
export { actionsJsonSchema, connectorJsonSchema } from './connector-schema.ts';
export {
  type ConnectorExtras,
  type ConnectorPlaces,
  connectorsFor,
  listConnectors,
  loadConnector,
  loadConnectors,
} from './load.ts';
export type { TokenChange, TokenStore } from './oauth.ts';
export { epochFormats } from './request-section.ts';
