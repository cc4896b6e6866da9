declare module 'baboon-image-uri' {
  /** `data:image/png;base64,...` */
  const dataUri: string;
  export default dataUri;
}
