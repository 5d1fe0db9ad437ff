// `@fkm/core/internal`: what other @fkm packages need of core besides its public names. Not for other users: these names may change in any
// version.

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
export { isTabular, Table, toTable } from '../data/table.js';
export { defaultMaxGraphs, graphsRule } from '../graph/compiled-graphs.js';
export { Recent } from '../graph/recent.js';
export { encodedWidth, isEncoding } from '../state/encoding.js';
export {
  columnNames,
  columnWidth,
  isTableEncoding,
  statisticsIn,
  tableWidth,
} from '../state/table-encoding.js';
export { isMissing, numberOfText } from '../tables/cells.js';
export { circleOf, msOfText, periods } from '../tables/dates.js';
export { encodeTable, statisticsOf } from '../tables/encode.js';
