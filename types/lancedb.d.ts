// Made from lib/ by "npm run build:types". Change the sources instead.
import { TextEmbeddingFunction } from '@lancedb/lancedb/embedding';

/** Options that every adapter has. */
export declare interface AdapterOptions {
    /** What is put before texts. What is not given is what the model's own configuration says. */
    prompts?: RetrievalPrompts;
}

/** Closes every embedder that functions of this module loaded. A later `sentenceEmbedder` or `openTable` loads afresh. */
export declare function closeEmbedders(): Promise<void>;

/** What {@link Embedder.embedDetailed} answers: one entry a text in each list, in the order of the texts. */
export declare interface DetailedEmbeddings {
    /** One vector a text: views over one buffer. */
    vectors: Float32Array[];
    /** Tokens of each text before truncation, special tokens included. */
    tokenCounts: Uint32Array;
    /** Whether the end of the text was cut off because it has more than `maxTokens` tokens. */
    truncated: boolean[];
}

/** Bytes came in: told when a file is begun and complete, and in between at most 20 times a second. */
export declare interface DownloadProgressEvent {
    readonly type: 'download_progress';
    /** The file, relative to the model's folder. */
    readonly file: string;
    /** Bytes of it that are here, those of an earlier attempt included. */
    readonly loaded: number;
    /** Bytes in it. */
    readonly total: number;
    /** The share of all bytes of all files that is here, from 0 to 1. */
    readonly overall: number;
}

/** The files of a hub model are not all in the cache: they are fetched now. */
export declare interface DownloadStartedEvent {
    readonly type: 'download_started';
    /** The model's id on the hub. */
    readonly model: string;
    /** How many files are fetched. */
    readonly files: number;
    /** Bytes in all of them. */
    readonly total: number;
}

/** What an adapter needs of an embedder: an `Embedder` has it. */
export declare interface EmbedderLike {
    /** The model. */
    readonly info: ModelInfo;
    /** The vectors of texts, in their order, with their token counts. */
    embedDetailed(texts: readonly string[], options?: EmbedOptions): Promise<DetailedEmbeddings>;
}

/** Options of one embedding call. Every one may be left out; an unknown name is refused. */
export declare interface EmbedOptions {
    /**
     * The lane that the call waits in. A long `bulk` call makes way for `interactive` calls as it runs.
     * @defaultValue `'interactive'` for `embedOne`, `'bulk'` for `embedBatch` and `embedDetailed`
     */
    priority?: Priority;
    /** Cancels the call: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
    signal?: AbortSignal;
    /**
     * How long the call may take, waiting included, before it rejects with `ERR_EMBED_TIMEOUT`: from 1 to 2,147,483,647
     * milliseconds.
     * @defaultValue no limit
     */
    timeoutMs?: number;
    /**
     * What happens to a text of more than `maxTokens` tokens: its beginning is embedded, or the whole call rejects with
     * `ERR_EMBED_TOO_LONG`.
     * @defaultValue `'truncate'`
     */
    overflow?: 'truncate' | 'error';
    /**
     * Whether the vectors are scaled to length 1.
     * @defaultValue the `normalize` that the embedder was loaded with
     */
    normalize?: boolean;
    /**
     * Called on the JavaScript thread as texts are done. `done` never falls and ends at `total`, the number of texts. An
     * exception that it throws is reported as uncaught and does not disturb the call.
     */
    onProgress?: (done: number, total: number) => void;
}

/** What a text is in retrieval: the question, or one of the texts that are searched. */
export declare type InputType = 'query' | 'document';

/**
 * One step of {@link Embedder.load}, as `onProgress` is told, in this order: `download_started`, `download_progress` many
 * times, `model_cached`, `preparing`, `loading`, `model_loaded`. What is not needed is left out. A prepared copy that turns out to be
 * damaged is prepared again after `loading`; one that cannot be made is told by `warning`, and the model is loaded as it is. More kinds
 * may be added: ignore those you do not know.
 */
export declare type LoadEvent = DownloadStartedEvent | DownloadProgressEvent | ModelCachedEvent | PreparingEvent | LoadingEvent | WarningEvent | ModelLoadedEvent;

/** The model, or the copy of it that was prepared, is opened. */
export declare interface LoadingEvent {
    readonly type: 'loading';
    /** The model as {@link LoadOptions.model} named it. */
    readonly model: string;
}

/** Options of {@link Embedder.load}. Every one may be left out; an unknown name is refused. */
export declare interface LoadOptions {
    /**
     * The model: a sentence-transformers folder, or the id of a model on the hub.
     * An absolute path, or one that starts with `./` or `../`, is always a folder.
     * @defaultValue `'sentence-transformers/paraphrase-multilingual-mpnet-base-v2'`
     */
    model?: string;
    /**
     * The commit, tag or branch of a model on the hub. No effect on a folder.
     * @defaultValue the commit that this release was tested with, for models it knows; otherwise `'main'`
     */
    revision?: string;
    /**
     * The numbers that the weights are kept and multiplied in. `'int8'` is made from the published weights on this machine at
     * the first load, so it needs `prepare`; a folder that `sentence-embedder prepare --out` wrote has it already.
     * @defaultValue the folder's own, which is `'fp32'` unless it was prepared otherwise
     */
    precision?: Precision;
    /**
     * The ONNX file, relative to the model's folder.
     * @defaultValue `onnx/model.onnx`, else `model.onnx`, whichever is there
     */
    modelFile?: string;
    /**
     * Where fetched and prepared models are kept: a folder, created when needed. Its layout is that of the Python package
     * huggingface_hub, with which it can be shared.
     * @defaultValue `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`
     */
    cacheDir?: string;
    /**
     * Whether to refuse to touch the network: files that are missing reject with `ERR_EMBED_OFFLINE`.
     * No effect on a folder, which never touches it, nor on a model whose files are all in the cache.
     * @defaultValue `false`, unless the environment has `HF_HUB_OFFLINE=1`
     */
    offline?: boolean;
    /**
     * Whether to read every file and compare its hash before the model is used: with that of the cache for a model of the
     * hub, with the manifest that `sentence-embedder pull --out` writes for a folder, which must have one. A file that differs
     * rejects with `ERR_EMBED_MODEL_INVALID`. Takes seconds for a large model.
     * @defaultValue `false`: files are verified when they are fetched
     */
    verify?: boolean;
    /**
     * Whether to keep a copy of the model that loads faster, made at the first load, and to load that from then on. The copy is
     * for this processor and this version of ONNX Runtime, is read and compared with its hashes at each load, and is made again
     * when it or the model was changed. It is in `cacheDir` under `prepared`, else in this user's folder for caches. When it
     * cannot be made, a `warning` is told and the model is loaded as it is.
     * @defaultValue `true`
     */
    prepare?: boolean;
    /**
     * How many threads compute: from 1 to 256.
     * @defaultValue the number of physical cores that this process may use, at most 8
     */
    threads?: number;
    /**
     * The longest text that is read, in tokens, special tokens included: more than these, up to what the model can read.
     * Longer texts are truncated, or refused with `overflow: 'error'`.
     * @defaultValue what the model's own files say
     */
    maxTokens?: number;
    /**
     * How token embeddings become one vector.
     * @defaultValue what the model's own files say
     */
    pooling?: Pooling;
    /**
     * Whether vectors are scaled to length 1, so that their dot product is their cosine.
     * {@link EmbedOptions.normalize} overrides it for one call.
     * @defaultValue what the model's own files say
     */
    normalize?: boolean;
    /**
     * Called on the JavaScript thread with each step of the load. An exception that it throws is reported as uncaught and
     * does not disturb the load.
     */
    onProgress?: (event: LoadEvent) => void;
    /** Cancels the load: it rejects with `ERR_EMBED_ABORTED`, whose `cause` is the signal's reason. */
    signal?: AbortSignal;
}

/** Every file of a hub model is in the cache, fetched now or before. */
export declare interface ModelCachedEvent {
    readonly type: 'model_cached';
    /** The model's id on the hub. */
    readonly model: string;
}

/** What a loaded embedder is: everything that decides its vectors. */
export declare interface ModelInfo {
    /** The model's id on the hub where its files tell it, else the name of its folder. */
    readonly model: string;
    /** The commit of a model from the hub; `null` for a folder. */
    readonly revision: string | null;
    /** The model's folder. */
    readonly path: string;
    /** The ONNX file. */
    readonly modelFile: string;
    /** Numbers in a vector. */
    readonly dimension: number;
    /**
     * Lengths that the vectors were trained to be cut to with {@link truncateDimensions}: `matryoshka_dimensions` of the model's
     * config.json. Empty where it says nothing, which is so for most models, even for some that were.
     */
    readonly matryoshkaDimensions: readonly number[];
    /** Tokens that are read of a text, special tokens included. */
    readonly maxTokens: number;
    /** How token embeddings become one vector; `'model'` where the model's output is one vector a text already. */
    readonly pooling: Pooling | 'model';
    /** Whether vectors have length 1 unless a call says otherwise. */
    readonly normalize: boolean;
    /** The numbers that the model computes in. */
    readonly precision: Precision;
    /** Threads that compute. */
    readonly threads: number;
    /**
     * Names the vector space: 64 hexadecimal digits over the content of the weights and of tokenizer.json, pooling,
     * `normalize`, `maxTokens` and `precision`. Vectors of two embedders can be compared if their fingerprints are the same.
     * Of 8-bit weights those count that they were made from, so that a folder of `sentence-embedder prepare --out` and the same
     * made on this machine are one space.
     */
    readonly fingerprint: string;
    /** Where a value came from: a file of the model, the catalogue of known models, an option, or a rule. */
    readonly sources: {
        readonly maxTokens: string;
        readonly pooling: string;
        readonly normalize: string;
    };
}

/** The model is ready. */
export declare interface ModelLoadedEvent {
    readonly type: 'model_loaded';
    /** The model as {@link LoadOptions.model} named it. */
    readonly model: string;
    /** Numbers in a vector. */
    readonly dimension: number;
    /** How long the load took, in milliseconds. */
    readonly loadTimeMs: number;
    /** Whether nothing had to be fetched. */
    readonly fromCache: boolean;
}

/**
 * How the token embeddings of a text become one vector: their mean, the first token's (`cls`), or the largest value of
 * each dimension.
 */
export declare type Pooling = 'mean' | 'cls' | 'max';

/** The numbers in which the model's weights are stored and multiplied. */
export declare type Precision = 'fp32' | 'int8';

/** A copy of the model that loads faster is made, once. */
export declare interface PreparingEvent {
    readonly type: 'preparing';
    /** The model as {@link LoadOptions.model} named it. */
    readonly model: string;
}

/**
 * Which of two lanes a call waits in: `interactive` goes before `bulk`, which it can slow down but never starve.
 */
export declare type Priority = 'interactive' | 'bulk';

/**
 * What is put before a text, by its role: `{ query: 'query: ', passage: 'passage: ' }` for models of the E5 family. The second
 * role has the names that models' own configurations have for it, of which one may be given.
 */
export declare interface RetrievalPrompts {
    /**
     * Put before a question.
     * @defaultValue the prompt `query` of the model's config_sentence_transformers.json, else nothing
     */
    query?: string;
    /**
     * Put before a text that is searched.
     * @defaultValue the prompt `document`, else `passage`, else `corpus` of the same file, else nothing
     */
    document?: string;
    /** The same as `document`. */
    passage?: string;
    /** The same as `document`. */
    corpus?: string;
}

/**
 * A loaded embedding function for `LanceSchema`, or for `createTable` with `embeddingFunction`.
 *
 * @example
 * ```ts
 * import { LanceSchema } from '@lancedb/lancedb/embedding';
 * import { sentenceEmbedder } from 'sentence-embedder/lancedb';
 *
 * const embedding = await sentenceEmbedder({ model: './models/all-MiniLM-L6-v2' });
 * const schema = LanceSchema({ text: embedding.sourceField(), vector: embedding.vectorField() });
 * ```
 */
export declare function sentenceEmbedder(options?: SentenceEmbedderOptions): Promise<SentenceEmbedderFunction>;

/**
 * An embedding function whose vectors come from an `Embedder` that all functions with the same options share. Make it
 * with {@link sentenceEmbedder}. Importing this module registers it as `sentence-embedder`.
 */
export declare class SentenceEmbedderFunction extends TextEmbeddingFunction<SentenceEmbedderOptions> {
    #private;
    constructor(options?: SentenceEmbedderOptions);
    /** Loads the model, once a process. Rejects as `Embedder.load` does. */
    init(): Promise<void>;
    /** Numbers in a vector, once the model is loaded. */
    ndims(): number | undefined;
    /** The vector of a question, in the interactive lane. */
    computeQueryEmbeddings(text: string): Promise<number[]>;
    /** One vector a text, in the bulk lane. */
    generateEmbeddings(texts: string[]): Promise<number[][]>;
}

/**
 * What a table's metadata keeps of the embedder, so that another process that opens the table can load it again: that of a
 * folder which is there is its absolute path. A text may be `'$var:NAME:DEFAULT'`, which `getRegistry().setVar` fills in: for
 * folders that differ between machines.
 */
export declare interface SentenceEmbedderOptions extends Omit<LoadOptions, 'onProgress' | 'signal'> {
    /** What is put before texts. What is not given is what the model's own configuration says. */
    prompts?: RetrievalPrompts;
}

/** Something did not work that the load can do without. */
export declare interface WarningEvent {
    readonly type: 'warning';
    /** What, why, and what is done instead. */
    readonly message: string;
}

export { }
