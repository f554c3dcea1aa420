// The contenders: what each is, what it needs, and how a turn starts it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as fastembed from './fastembed.mjs';
import * as onnxruntimeNode from './onnxruntime-node.mjs';
import * as sentenceEmbedder from './sentence-embedder.mjs';
import * as sentenceTransformers from './sentence-transformers.mjs';
import * as sidecar from './sidecar.mjs';
import * as transformersJs from './transformers-js.mjs';

/**
 * @typedef {ArrayLike<number>[]} Vectors
 *
 * @typedef {object} Contender A loaded model, ready to embed.
 * @property {(texts: string[]) => Promise<Vectors>} embed one call of the host app
 * @property {(text: string) => Promise<Vectors>} [embedQuery] where a single query takes another way than a batch
 * @property {(texts: string[]) => Promise<number>} [timed] milliseconds of one call, where JavaScript is no part of it
 * @property {(texts: string[]) => Promise<number>} [countTokens] tokens that the model reads of them
 * @property {number[]} [processes] ids of processes beside this one
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Settings
 * @property {string} model the model's folder
 * @property {number} threads
 * @property {'fp32' | 'int8'} precision
 *
 * @typedef {object} Entry
 * @property {string} label
 * @property {'onnx' | 'python'} needs which of the model's files it reads
 * @property {'fp32' | 'int8'} precision
 * @property {boolean} inNode whether it runs in a Node process, so that event loop and callers mean something
 * @property {boolean} own whether it is this project
 * @property {(settings: Settings) => Promise<Contender>} start
 */

/** @type {Record<string, Entry>} */
export const CONTENDERS = {
  sidecar: {
    label: 'sidecar (FastAPI + sentence-transformers)',
    needs: 'python',
    precision: 'fp32',
    inNode: true,
    own: false,
    start: sidecar.start,
  },
  'sentence-transformers': {
    label: 'sentence-transformers, in process',
    needs: 'python',
    precision: 'fp32',
    inNode: false,
    own: false,
    start: sentenceTransformers.start,
  },
  'transformers.js': {
    label: '@huggingface/transformers',
    needs: 'onnx',
    precision: 'fp32',
    inNode: true,
    own: false,
    start: transformersJs.start,
  },
  fastembed: {
    label: 'fastembed (npm)',
    needs: 'onnx',
    precision: 'fp32',
    inNode: true,
    own: false,
    start: fastembed.start,
  },
  'onnxruntime-node': {
    label: 'onnxruntime-node, plain',
    needs: 'onnx',
    precision: 'fp32',
    inNode: true,
    own: false,
    start: onnxruntimeNode.start,
  },
  fp32: {
    label: 'sentence-embedder fp32',
    needs: 'onnx',
    precision: 'fp32',
    inNode: true,
    own: true,
    start: sentenceEmbedder.start,
  },
  int8: {
    label: 'sentence-embedder int8',
    needs: 'onnx',
    precision: 'int8',
    inNode: true,
    own: true,
    start: sentenceEmbedder.start,
  },
};

/**
 * Why a contender cannot load this model, or nothing.
 * @param {Entry} entry
 * @param {string} model
 * @returns {string | undefined}
 */
export function cannotLoad(entry, model) {
  const wanted = entry.needs === 'onnx' ? join('onnx', 'model.onnx') : 'model.safetensors';
  return existsSync(join(model, wanted)) ? undefined : `the model has no ${wanted}`;
}
