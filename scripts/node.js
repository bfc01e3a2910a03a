// node scripts/node.js FILE [ARGUMENTS]: runs a file on the Node that npm installed into this checkout, whatever the machine's own is. npm 10
// does not link that Node into node_modules/.bin, so no script may count on finding it as `node`.
import { failWithoutNode, handOver, installedNode, isNewEnough } from '../bin/installed-node.js';

const binary = installedNode() ?? (isNewEnough() ? process.execPath : failWithoutNode());
handOver(binary, process.argv.slice(2));
