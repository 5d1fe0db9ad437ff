// The command line of the bench: its measures and their options.

import { Command, InvalidArgumentError, Option } from 'commander';
import { type AccuracyOptions, benchAccuracy } from './accuracy.ts';
import { benchAssign } from './assign.ts';
import { type BackendName, backendNames } from './backends.ts';
import { benchCalibration, type CalibrationOptions, calibrationSets } from './calibration.ts';
import { benchClasses, benchManyClasses, type ClassesOptions, type ManyClassesOptions } from './classes.ts';
import { benchColumns } from './columns.ts';
import { benchDeploy, type DeployOptions } from './deploy.ts';
import { benchEstimatorChecks } from './estimator-checks.ts';
import { Failure } from './failure.ts';
import { benchIndex, type IndexOptions } from './index-search.ts';
import { benchInertia, clusteredSets, type InertiaOptions } from './inertia.ts';
import { benchLloyd } from './lloyd.ts';
import { benchMasks } from './masks.ts';

import type { MemoryOptions } from './memory.ts';
import { type ReliabilityCase, reliabilityCases } from './reliability.ts';
import type { FilesOptions } from './reliability-files.ts';
import type { RequestsOptions } from './requests.ts';

import { setNames } from './sets.ts';
import { benchSparse, benchSparseAlone, type SparseOptions, sparseDistances, sparseSets } from './sparse.ts';
import { defaultFolder } from './stored.ts';
import { benchStream, type StreamOptions, streamMeasures } from './stream.ts';
import { benchDrift, type DriftOptions } from './stream-drift.ts';
import { benchTables, type TablesOptions, tableSets } from './tables.ts';
import { benchTrain, contestNames, type TrainOptions } from './train.ts';
import { benchTrainStep } from './train-step.ts';

function toSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0) {
    throw new InvalidArgumentError('Allowed is an integer of at least 0.');
  }
  return seed;
}

function toCount(text: string): number {
  const count = toSeed(text);
  if (count === 0) throw new InvalidArgumentError('Allowed is an integer of at least 1.');
  return count;
}

function toSeeds(text: string): number[] {
  return text.split(',').map(toSeed);
}

function toCounts(text: string): number[] {
  return text.split(',').map(toCount);
}

function toOptions(text: string): Readonly<Record<string, unknown>> {
  try {
    const options: unknown = JSON.parse(text);
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return { ...options };
  } catch {}
  throw new InvalidArgumentError(`Allowed is a JSON object, such as '{"heads":4}'.`);
}

/** Scores of several seeds are averaged. */
const seedsOption = (): Option =>
  new Option('--seeds <list>', 'several seeds, 0,1,2: means').argParser(toSeeds).conflicts('seed');

const cases = {
  assign: benchAssign,
  index: benchIndex,
  lloyd: benchLloyd,
  train: benchTrain,
  'train-step': benchTrainStep,
} as const;

const program = new Command('bench')
  .description('Speed and accuracy of @fkm/*. The last lines printed are one JSON object a result.')
  .showHelpAfterError('(bench <command> --help says what is allowed)');

program
  .command('accuracy')
  .description('trains with no options on raw features, and scores rows that were held out')
  .addOption(new Option('--set <name>', 'data set').choices(setNames))
  .option('--all', 'every data set')
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--seed <n>', 'seed of the split and of the model', toSeed, 0)
  .addOption(seedsOption())
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .option('--validation', 'judge on a tenth of the training rows; test rows are not touched', false)
  .option('--prototypes <n>', 'prototypes in all, in 16 heads; at most a quarter of the rows', toCount)
  .option('--options <json>', 'options of the estimators, for experiments', toOptions, {})
  .action(async ({ set, seed, seeds = [seed], data, ...options }: AccuracyFlags, command: Command) => {
    if ((set === undefined) !== (options.all === true)) {
      command.error(`error: give either --set <name> or --all`);
    }
    await benchAccuracy({ ...options, seeds, sets: set ? [set] : setNames, folder: data });
  });

program
  .command('calibration')
  .description('probabilities of default models against shares of rows, beside HistGradientBoosting')
  .addOption(new Option('--set <name>', 'data set. Default: all of them').choices(calibrationSets))
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .addOption(seedsOption().default([0], '0'))
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .option('--validation', 'judge on a tenth of the training rows; test rows are not touched', false)
  .option('--options <json>', 'options of the estimators, for experiments', toOptions, {})
  .action(async ({ set, data, ...options }: CalibrationFlags) =>
    benchCalibration({ ...options, sets: set ? [set] : calibrationSets, folder: data }),
  );

program
  .command('masks')
  .description('learns padded series and missing values behind a feature mask, next to padding with zeros')
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .addOption(seedsOption().default([0], '0'))
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .action(async ({ backend, seeds, data }: MasksFlags) => benchMasks({ backend, seeds, folder: data }));

program
  .command('sparse')
  .description(
    'trains on sparse rows with no option, and with cosine; scores, seconds, and the peak memory of each process',
  )
  .addOption(new Option('--set <name>', 'data set. Default: all of them').choices(sparseSets))
  .addOption(new Option('--distance <name>', 'Default: both').choices(sparseDistances))
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--seed <n>', 'seed of the split and of the model', toSeed, 0)
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .addOption(new Option('--alone').hideHelp())
  .action(async ({ set, distance, alone, data, ...options }: SparseFlags) => {
    const sets = set ? [set] : sparseSets;
    const distances = distance ? [distance] : sparseDistances;
    await (alone ? benchSparseAlone : benchSparse)({ ...options, sets, distances, folder: data });
  });

program
  .command('speed')
  .description('times one computation, against other software where that is installed, in interleaved rounds')
  .addOption(new Option('--case <name>', 'what is timed').choices(Object.keys(cases)).makeOptionMandatory())
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--rounds <n>', 'rounds that count', toCount, 11)
  .option('--prototypes <list>', 'how many prototypes, of case index', toCounts, [1000, 10_000, 100_000])
  .option('--columns <list>', 'how many columns, of case index', toCounts, [32, 128])
  .addOption(new Option('--set <name>', 'of case train; default both').choices(contestNames))
  .option('--options <json>', 'options of the estimators, of case train', toOptions, {})
  .option('--data <path>', 'folder of the data sets, of case train', defaultFolder)
  .action(async (options: SpeedFlags) => cases[options.case](options.backend, options.rounds, options));

program
  .command('deploy')
  .description('bytes of exported ONNX models, and their time for one row and for 10,000, next to predict')
  .addOption(new Option('--backend <name>', 'where predict runs').choices(backendNames).default('onnx'))
  .option('--rounds <n>', 'rounds that count', toCount, 11)
  .action(async (options: DeployOptions) => benchDeploy(options));

program
  .command('stream')
  .description(
    'rows of Parquet, CSV and PostgreSQL into batches and through a pass of phase 1; peak memory; drift',
  )
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--rows <n>', 'rows of the Parquet file; a tenth of them for the rest', toCount, 10_000_000)
  .option('--drift', 'prequential accuracy on electricity in time order instead')
  .option('--data <path>', 'folder of the data sets, with --drift', defaultFolder)
  .addOption(new Option('--alone <measure>').choices(streamMeasures).hideHelp())
  .action(async ({ drift, ...options }: StreamOptions & DriftOptions & { readonly drift?: true }) =>
    drift ? benchDrift(options) : benchStream(options),
  );

program
  .command('classes')
  .description('gradient steps on a sample of very many classes, against the full softmax')
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--rounds <n>', 'rounds that count', toCount, 5)
  .option('--classes <n>', 'classes, a prototype each', toCount, 100_000)
  .option('--negatives <n>', 'classes drawn a step beside those of the batch', toCount, 512)
  .option('--accuracy', 'accuracy on cities_geonames with and without sampling instead')
  .option('--epochs <n>', 'epochs of finetune, with --accuracy', toCount, 4)
  .option('--seed <n>', 'seed of the split and of the model, with --accuracy', toSeed, 0)
  .option('--options <json>', 'options of the classifier, with --accuracy', toOptions, {})
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .addOption(new Option('--memory-of <side>').choices(['sampled', 'full']).hideHelp())
  .action(async ({ accuracy, data, ...flags }: ClassesFlags) =>
    accuracy ? benchManyClasses({ ...flags, folder: data }) : benchClasses(flags),
  );

program
  .command('columns')
  .description("files with columns as inputs in Python's onnxruntime, against predict")
  .addOption(new Option('--backend <name>', 'where models run').choices(backendNames).default('onnx'))
  .action(async ({ backend }: { readonly backend: BackendName }) => benchColumns(backend));

program
  .command('tables')
  .description('tables straight from CSV files, beside HistGradientBoosting and LightGBM on the same rows')
  .addOption(new Option('--set <name>', 'data set. Default: all of them').choices(tableSets))
  .addOption(new Option('--backend <name>', 'where models run').choices(backendNames).default('onnx'))
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .action(async ({ set, data, backend }: TablesFlags) =>
    benchTables({ backend, sets: set ? [set] : tableSets, folder: data }),
  );

program
  .command('estimator-checks')
  .description(
    "scikit-learn's check_estimator on the clusterer, the classifier and the regressor, over a bridge",
  )
  .addOption(new Option('--backend <name>', 'where models run').choices(backendNames).default('onnx'))
  .action(async ({ backend }: { readonly backend: BackendName }) => benchEstimatorChecks(backend));

program
  .command('inertia')
  .description("clusters whole sets, against scikit-learn's KMeans with one start and other npm packages")
  .addOption(new Option('--set <name>', 'data set; default all').choices(clusteredSets))
  .addOption(new Option('--backend <name>', 'where it runs').choices(backendNames).default('onnx'))
  .option('--clusters <list>', 'how many clusters', toCounts, [10, 100, 1000])
  .addOption(seedsOption().default([0, 1, 2, 3, 4], '0,1,2,3,4'))
  .option('--standardised', 'columns of mean 0 and variance 1, on both sides', false)
  .option('--data <path>', 'folder of the data sets', defaultFolder)
  .action(async ({ set, data, ...options }: InertiaFlags) =>
    benchInertia({ ...options, sets: set ? [set] : clusteredSets, folder: data }),
  );

program
  .command('reliability')
  .description(
    'what long-lived processes meet: memory of many models, requests of one row each, damaged files',
  )
  .addOption(
    new Option('--case <name>', 'what is measured')
      .choices(Object.keys(reliabilityCases))
      .makeOptionMandatory(),
  )
  .addOption(new Option('--backend <name>', 'of case requests').choices(backendNames).default('onnx'))
  .option('--models <n>', 'models of as many shapes, of case memory', toCount, 200)
  .option('--classes <n>', 'classes that come one by one, of case memory', toCount, 1000)
  .option('--seconds <n>', 'of each side of each round, of case requests', toCount, 5)
  .option('--rounds <n>', 'of case requests', toCount, 3)
  .option('--connections <n>', 'at a time, of case requests', toCount, 50)
  .option('--inputs <n>', 'damaged files and hostile calls, of case files', toCount, 100_000)
  .addOption(new Option('--alone <measure>').hideHelp())
  .action(async (options: ReliabilityFlags) => reliabilityCases[options.case](options));

interface ReliabilityFlags extends MemoryOptions, RequestsOptions, FilesOptions {
  readonly case: ReliabilityCase;
}

interface InertiaFlags extends Omit<InertiaOptions, 'sets' | 'folder'> {
  readonly set?: string;
  readonly data: string;
}

interface CalibrationFlags extends Omit<CalibrationOptions, 'sets' | 'folder'> {
  readonly set?: string;
  readonly data: string;
}

interface TablesFlags extends Omit<TablesOptions, 'sets' | 'folder'> {
  readonly set?: string;
  readonly data: string;
}

interface ClassesFlags extends ClassesOptions, Omit<ManyClassesOptions, 'folder'> {
  readonly accuracy?: true;
  readonly data: string;
}

interface SpeedFlags extends IndexOptions, TrainOptions {
  readonly case: keyof typeof cases;
  readonly backend: BackendName;
  readonly rounds: number;
}

interface AccuracyFlags extends Omit<AccuracyOptions, 'sets' | 'seeds' | 'folder'> {
  readonly set?: string;
  readonly all?: true;
  readonly seed: number;
  readonly seeds?: readonly number[];
  readonly data: string;
}

interface SparseFlags extends Omit<SparseOptions, 'sets' | 'distances' | 'folder'> {
  readonly set?: string;
  readonly distance?: SparseOptions['distances'][number];
  readonly alone?: true;
  readonly data: string;
}

interface MasksFlags {
  readonly backend: BackendName;
  readonly seeds: readonly number[];
  readonly data: string;
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`[fkm/bench] ${error.message}`);
  process.exitCode = 1;
}
