// What `ganglion export` puts into explorer.html beside the code: the page's only source, as it loads nothing.

import type { ImageShape } from './model/spec.ts';

/** Numbers of the page that come as base64 of little-endian float32. */
export type Base64Floats = string;

/** The JSON in the page's element `explorer-data`; the weights' bytes lie in one of their own. */
export interface ExplorerData {
  /** Name of the run's folder. */
  readonly run: string;
  /** Step of the checkpoint. */
  readonly step: number;
  /** Length of the noise vector z. */
  readonly latent: number;
  readonly image: ImageShape;
  /** model.json: topology, signature and manifest of the weights. */
  readonly model: GraphModelJson;
  /** Orthonormal directions of the latent space, strongest first. */
  readonly directions: {
    /** [count, latent]. */
    readonly values: Base64Floats;
    /** Of the first layer's response to noise, the part that each one causes; together at most 1. */
    readonly shares: readonly number[];
  };
  /** What `ganglion sample` draws, for a backend to prove that it computes right. */
  readonly check: {
    readonly seed: number;
    readonly count: number;
    /** [count, ...image], in [-1, 1]. */
    readonly images: Base64Floats;
  };
  /** Digits to open on: the clearest of the first ones of a seed, clearest first, by number. */
  readonly clearest: {
    readonly seed: number;
    readonly images: readonly number[];
  };
}

/** model.json of a graph model of TensorFlow.js, as `tf.loadGraphModel` reads it. */
export interface GraphModelJson {
  readonly format: 'graph-model';
  readonly generatedBy: string;
  readonly convertedBy: string;
  /** Shapes with -1 for the number of images. */
  readonly signature: {
    readonly inputs: Readonly<Record<string, TensorInfo>>;
    readonly outputs: Readonly<Record<string, TensorInfo>>;
  };
  /** A GraphDef as protobuf writes it in JSON. */
  readonly modelTopology: { readonly node: readonly NodeDef[]; readonly versions: { readonly producer: number } };
  readonly weightsManifest: readonly [{ readonly paths: readonly [string]; readonly weights: readonly WeightEntry[] }];
  readonly userDefinedMetadata: Readonly<Record<string, string | number>>;
}

/** Whole numbers are text: protobuf's JSON writes 64-bit numbers so. */
export interface TensorShape {
  readonly dim: readonly { readonly size: string }[];
}

export interface TensorInfo {
  readonly name: string;
  readonly dtype: DataType;
  readonly tensorShape: TensorShape;
}

export type DataType = 'DT_FLOAT' | 'DT_INT32';

export interface NodeDef {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, Attribute>>;
}

/** A value of a node's attribute, under the name of its type in attr_value.proto; `s` is base64. */
export type Attribute =
  | { readonly type: DataType }
  | { readonly i: string }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: string }
  | { readonly list: { readonly i: readonly string[] } }
  | { readonly shape: TensorShape }
  | { readonly tensor: { readonly dtype: DataType; readonly tensorShape: TensorShape } };

export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
}
