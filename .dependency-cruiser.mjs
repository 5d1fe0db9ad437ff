// Which folder may import which, types included; `npm run lint` checks it. There are no exceptions.

/** Folders of core: each imports those above it in this list. Two in one row do not import each other. */
const layers = [
  ['data'],
  ['graph'],
  ['reference'],
  ['formulas'],
  ['scaling'],
  ['state'],
  ['tables'],
  ['heads'],
  ['training'],
  ['init', 'search'],
  ['fitting'],
  ['checkpoint'],
  // Beside the estimators, which hand themselves in as a Learner: loops over sources know no class of model.
  ['streams'],
  ['estimators'],
  ['deploy'],
  // For other packages of fkm alone: an entry, with no file of its own.
  ['internal'],
];

const core = '^packages/core/src';
/** What a subpath of the package exports: it stands above all folders. */
const entries = `${core}/((graph|deploy|internal)/)?index\\.ts$`;
/** Tests and their helpers look wherever they like, and nothing else looks at them. */
const tests = [
  '\\.test\\.ts$',
  '\\.fixture\\.m?ts$',
  '\\.fixture\\.mjs$',
  '[/-]testing\\.ts$',
  '/testing/',
  '/pages/',
  `${core}/reference/counted\\.ts$`,
  `${core}/search/exact-index\\.ts$`,
  '^packages/(conformance|browser-testing)/',
  '^packages/index-hnsw/src/conformance\\.ts$',
];
const folder = (names) => `${core}/(${names.join('|')})/`;

const layerRules = layers
  .flatMap((row, i) =>
    row.map((name) => {
      const others = [...row.filter((other) => other !== name), ...layers.slice(i + 1).flat()];
      return others.length === 0
        ? []
        : [
            {
              name: `core-${name}-imports-what-is-below`,
              comment: `In core, ${name}/ is below ${others.join(', ')}: move what is in the wrong folder, or hand a function in.`,
              severity: 'error',
              from: { path: folder([name]), pathNot: [entries, ...tests] },
              to: { path: folder(others) },
            },
          ];
    }),
  )
  .flat();

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layerRules,
    {
      name: 'core-folders-have-a-layer',
      comment: 'A new folder of core takes its place in the list of layers in .dependency-cruiser.mjs.',
      severity: 'error',
      from: { path: `${core}/[^/]+/`, pathNot: folder(layers.flat()) },
      to: {},
    },
    {
      name: 'core-ground-imports-no-folder',
      comment: 'The root files of core (errors, dtype, random, …) are below all of its folders.',
      severity: 'error',
      from: { path: `${core}/[^/]+$`, pathNot: [entries, ...tests] },
      to: { path: `${core}/[^/]+/` },
    },
    {
      name: 'core-entries-are-the-top',
      comment: 'Inside of core a file is imported by its own name, never through an entry.',
      severity: 'error',
      from: { path: core, pathNot: tests },
      to: { path: entries },
    },
    {
      name: 'no-circle-of-files',
      comment:
        'Files that import each other, also by types alone, are one idea in two files, or miss a third one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-circle-of-folders',
      comment:
        'Folders beside each other import one way. Of core the layers say so, whose entries are the top.',
      severity: 'error',
      scope: 'folder',
      from: { pathNot: '^packages/core(/|$)' },
      to: { circular: true },
    },
    {
      name: 'no-tests-in-code',
      comment: 'Helpers of tests are not published.',
      severity: 'error',
      from: { pathNot: tests },
      to: { path: tests },
    },
  ],
  options: {
    includeOnly: '^packages/[^/]+/src/',
    exclude: '/generated/',
    tsConfig: { fileName: 'tsconfig.base.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
  },
};
