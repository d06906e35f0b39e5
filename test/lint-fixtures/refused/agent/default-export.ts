// refused by lint/style/noDefaultExport
export default 1;
