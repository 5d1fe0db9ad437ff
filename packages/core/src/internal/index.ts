// What other packages of fkm need of core besides its public names: `@fkm/core/internal`. For them alone: these names change without
// notice, and from one version of core to the next.

export {
  abortSignal,
  anything,
  boolean,
  checkOptions,
  either,
  integer,
  number,
  type OptionsCheck,
  objectOf,
  oneOf,
  positiveInteger,
  type Rule,
  type Rules,
  text,
} from '../checked-options.js';
export { graphsRule } from '../graph/compiled-graphs.js';
export { encodedWidth, isEncoding } from '../state/encoding.js';
