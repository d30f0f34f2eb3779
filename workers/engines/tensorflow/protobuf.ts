// Types for the generated protobuf classes in @tensorflow/tfjs-node-gpu/dist/proto/api_pb.js, which ships without any:
// only the setters that saved-model.ts calls.

interface MessageMap<T> {
  set(key: string, value: T): void;
}

interface TensorShape {
  setDimList(dimensions: Dim[]): void;
}
interface Dim {
  setSize(size: number): void;
}
interface ListValue {
  setIList(values: number[]): void;
}
interface TensorMessage {
  setDtype(type: number): void;
  setTensorShape(shape: TensorShape): void;
  setTensorContent(base64: string): void;
}
interface AttrValue {
  setType(type: number): void;
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setS(base64: string): void;
  setList(list: ListValue): void;
  setShape(shape: TensorShape): void;
  setTensor(tensor: TensorMessage): void;
}
interface NodeDef {
  setName(name: string): void;
  setOp(op: string): void;
  setInputList(inputs: string[]): void;
  getAttrMap(): MessageMap<AttrValue>;
}
interface VersionDef {
  setProducer(version: number): void;
  setMinConsumer(version: number): void;
}
interface GraphDef {
  setNodeList(nodes: NodeDef[]): void;
  setVersions(versions: VersionDef): void;
}
interface TensorInfo {
  setName(name: string): void;
  setDtype(type: number): void;
  setTensorShape(shape: TensorShape): void;
}
interface SignatureDef {
  setMethodName(name: string): void;
  getInputsMap(): MessageMap<TensorInfo>;
  getOutputsMap(): MessageMap<TensorInfo>;
}
interface MetaInfoDef {
  setTagsList(tags: string[]): void;
}
interface MetaGraphDef {
  setMetaInfoDef(information: MetaInfoDef): void;
  setGraphDef(graph: GraphDef): void;
  getSignatureDefMap(): MessageMap<SignatureDef>;
}
interface SavedModel {
  setSavedModelSchemaVersion(version: number): void;
  setMetaGraphsList(graphs: MetaGraphDef[]): void;
  serializeBinary(): Uint8Array;
}

/** The classes of api_pb.js. */
export interface ProtobufClasses {
  readonly DataType: { readonly DT_FLOAT: number; readonly DT_INT32: number };
  readonly TensorShape: { new (): TensorShape; readonly Dim: new () => Dim };
  readonly AttrValue: { new (): AttrValue; readonly ListValue: new () => ListValue };
  readonly Tensor: new () => TensorMessage;
  readonly NodeDef: new () => NodeDef;
  readonly VersionDef: new () => VersionDef;
  readonly GraphDef: new () => GraphDef;
  readonly TensorInfo: new () => TensorInfo;
  readonly SignatureDef: new () => SignatureDef;
  readonly MetaGraphDef: { new (): MetaGraphDef; readonly MetaInfoDef: new () => MetaInfoDef };
  readonly SavedModel: new () => SavedModel;
}
