// The order of test files: slow files start first, so that none runs alone at the end.

import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Seconds of the files that take more than ten, on a quiet machine with two cores. Other files count as 0. */
const seconds: Readonly<Record<string, number>> = {
  'backend-onnx/src/conformance.test.ts': 40,
  'backend-onnx/src/estimators.test.ts': 65,
  'backend-onnx/src/webgpu.browser.test.ts': 130,
  'backend-onnx/src/webgpu.test.ts': 40,
  'backend-tfjs/src/conformance.test.ts': 11,
  'backend-tfjs/src/estimators.test.ts': 50,
  'backend-tfjs/src/webgl.browser.test.ts': 170,
  'backend-tfjs/src/webgpu.browser.test.ts': 190,
  'backend-tfjs/src/webgpu.test.ts': 60,
  'conformance/src/js.test.ts': 80,
  'core/src/checkpoint/files.test.ts': 15,
  'core/src/checkpoint/hostile.test.ts': 23,
  'core/src/estimators/bad-input.test.ts': 20,
  'core/src/estimators/calibration.test.ts': 20,
  'core/src/estimators/resume.test.ts': 35,
  'core/src/estimators/running.test.ts': 18,
  'core/src/search/assign-nearest.test.ts': 16,
  'core/src/search/read-nearest.test.ts': 23,
  'data/src/closing.test.ts': 30,
  'data/src/formats.test.ts': 20,
  'data/src/kill.test.ts': 20,
  'data/src/postgres.test.ts': 12,
  'index-hnsw/src/codes.test.ts': 14,
  'index-hnsw/src/models.test.ts': 15,
  'index-hnsw/src/portable.test.ts': 35,
  'index-hnsw/src/usearch.test.ts': 10,
  'onnx/src/agreement.test.ts': 10,
  'onnx/src/damaged-files.test.ts': 30,
  'onnx/src/import-onnx.test.ts': 15,
  'onnx/src/onnxruntime-web.test.ts': 60,
  'onnx-page/src/page.test.ts': 26,
  'packaging/answers.test.ts': 10,
  'packaging/tarballs.test.ts': 28,
  'quickstart/src/main.test.ts': 13,
  'quickstart/src/readme.test.ts': 26,
  'webgpu/src/search.test.ts': 70,
  'webgpu/src/sums.test.ts': 40,
};

const secondsOf = ({ moduleId }: TestSpecification): number =>
  Object.entries(seconds).find(([path]) => moduleId.endsWith(`/${path}`))?.[1] ?? 0;

export class SlowFirst extends BaseSequencer {
  /** Files that share workers stay together, since a shared worker ends when the next file is of another project. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const projects = [...new Set(sorted.map(({ project }) => project))];
    const alone = (file: TestSpecification): number => (file.project.config.isolate ? secondsOf(file) : 0);
    return sorted.sort(
      (a, b) =>
        alone(b) - alone(a) ||
        projects.indexOf(a.project) - projects.indexOf(b.project) ||
        secondsOf(b) - secondsOf(a),
    );
  }
}
