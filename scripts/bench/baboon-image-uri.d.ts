declare module 'baboon-image-uri' {
  /** A photo of 128x128 px as a `data:` URI (PNG). */
  const uri: string;
  export default uri;
}
