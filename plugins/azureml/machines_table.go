package main

// sizes are VM sizes that AzureML takes for serverless jobs and clusters: name,
// vCPUs, GiB of memory, and GPUs with their kind. A step gets a little less
// memory than the machine has. In the order in which equally small ones are
// taken.
//
// Names: "Supported VM series and sizes" of
// https://learn.microsoft.com/azure/machine-learning/concept-compute-target.
// Figures: the pages of each series below
// https://learn.microsoft.com/azure/virtual-machines/sizes.
func sizes() []string {
	return []string{
		"DS1_v2 1 3.5", "DS2_v2 2 7", "DS3_v2 4 14", "DS4_v2 8 28", "DS5_v2 16 56",
		"DS11_v2 2 14", "DS12_v2 4 28", "DS13_v2 8 56", "DS14_v2 16 112", "DS15_v2 20 140",
		"F2s_v2 2 4", "F4s_v2 4 8", "F8s_v2 8 16", "F16s_v2 16 32", "F32s_v2 32 64", "F48s_v2 48 96", "F64s_v2 64 128", "F72s_v2 72 144",
		"D2s_v3 2 8", "D4s_v3 4 16", "D8s_v3 8 32", "D16s_v3 16 64", "D32s_v3 32 128", "D48s_v3 48 192", "D64s_v3 64 256",
		"E2s_v3 2 16", "E4s_v3 4 32", "E8s_v3 8 64", "E16s_v3 16 128", "E32s_v3 32 256", "E48s_v3 48 384", "E64s_v3 64 432",
		"D2ds_v4 2 8", "D4ds_v4 4 16", "D8ds_v4 8 32", "D16ds_v4 16 64", "D32ds_v4 32 128", "D48ds_v4 48 192", "D64ds_v4 64 256",
		"E2ds_v4 2 16", "E4ds_v4 4 32", "E8ds_v4 8 64", "E16ds_v4 16 128", "E32ds_v4 32 256", "E48ds_v4 48 384", "E64ds_v4 64 504",
		"NC4as_T4_v3 4 28 1 t4", "NC8as_T4_v3 8 56 1 t4", "NC16as_T4_v3 16 110 1 t4", "NC64as_T4_v3 64 440 4 t4",
		"NC6s_v3 6 112 1 v100", "NC12s_v3 12 224 2 v100", "NC24s_v3 24 448 4 v100",
		"ND96asr_v4 96 900 8 a100-40gb",
		"NC24ads_A100_v4 24 220 1 a100-80gb", "NC48ads_A100_v4 48 440 2 a100-80gb", "NC96ads_A100_v4 96 880 4 a100-80gb", "ND96amsr_A100_v4 96 1900 8 a100-80gb",
		"NC40ads_H100_v5 40 320 1 h100", "NC80adis_H100_v5 80 640 2 h100", "ND96isr_H100_v5 96 1900 8 h100",
		"ND96isr_H200_v5 96 1850 8 h200",
	}
}
