package cells

// CodeBytes is how many bytes a code of the column takes.
func (k *Column) CodeBytes() int {
	if k.codes == nil {
		return 1
	}
	return k.codes.bytes()
}
