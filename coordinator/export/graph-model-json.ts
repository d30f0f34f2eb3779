// The format of model.json, as `tf.loadGraphModel` reads it.

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
