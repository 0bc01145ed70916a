package main

// families are the instance types that CreateTrainingJob takes, in the order in
// which equally small ones are taken: each size with its vCPUs, its GiB of memory
// and, where it has GPUs, their number and kind. The step's container gets a
// little less memory than the instance has.
//
// Names: the published API description of SageMaker (2017-07-24),
// TrainingInstanceType, read in 2026-11. Figures: the types of the same name in
// EC2's DescribeInstanceTypes, read in 2026-11; those of p2 and p3, which EC2 no
// longer lists, are from https://aws.amazon.com/ec2/instance-types/. Left out:
// ml.p6e-gb200.36xlarge, which is no x86.
func families() [][2]string {
	return [][2]string{
		{"m5", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 12xlarge 48 192, 24xlarge 96 384"},
		{"c5", "xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 9xlarge 36 72, 18xlarge 72 144"},
		{"r5", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512, 24xlarge 96 768"},
		{"m6i", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 8xlarge 32 128, 12xlarge 48 192, 16xlarge 64 256, 24xlarge 96 384, 32xlarge 128 512"},
		{"c6i", "xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 8xlarge 32 64, 12xlarge 48 96, 16xlarge 64 128, 24xlarge 96 192, 32xlarge 128 256"},
		{"r6i", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512, 24xlarge 96 768, 32xlarge 128 1024"},
		{"m7i", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 8xlarge 32 128, 12xlarge 48 192, 16xlarge 64 256, 24xlarge 96 384, 48xlarge 192 768"},
		{"c7i", "large 2 4, xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 8xlarge 32 64, 12xlarge 48 96, 16xlarge 64 128, 24xlarge 96 192, 48xlarge 192 384"},
		{"r7i", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512, 24xlarge 96 768, 48xlarge 192 1536"},
		{"m8i", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 8xlarge 32 128, 12xlarge 48 192, 16xlarge 64 256, 24xlarge 96 384, 32xlarge 128 512, 48xlarge 192 768, 96xlarge 384 1536"},
		{"c8i", "xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 8xlarge 32 64, 12xlarge 48 96, 16xlarge 64 128, 24xlarge 96 192, 32xlarge 128 256, 48xlarge 192 384, 96xlarge 384 768"},
		{"r8i", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512, 24xlarge 96 768, 32xlarge 128 1024, 48xlarge 192 1536, 96xlarge 384 3072"},
		{"c5n", "xlarge 4 10.5, 2xlarge 8 21, 4xlarge 16 42, 9xlarge 36 96, 18xlarge 72 192"},
		{"r5d", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512, 24xlarge 96 768"},
		{"m7i-flex", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 8xlarge 32 128, 12xlarge 48 192, 16xlarge 64 256"},
		{"c7i-flex", "xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 8xlarge 32 64, 12xlarge 48 96, 16xlarge 64 128"},
		{"m8i-flex", "large 2 8, xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 8xlarge 32 128, 12xlarge 48 192, 16xlarge 64 256"},
		{"c8i-flex", "xlarge 4 8, 2xlarge 8 16, 4xlarge 16 32, 8xlarge 32 64, 12xlarge 48 96, 16xlarge 64 128"},
		{"r8i-flex", "large 2 16, xlarge 4 32, 2xlarge 8 64, 4xlarge 16 128, 8xlarge 32 256, 12xlarge 48 384, 16xlarge 64 512"},
		{"m4", "xlarge 4 16, 2xlarge 8 32, 4xlarge 16 64, 10xlarge 40 160, 16xlarge 64 256"},
		{"c4", "xlarge 4 7.5, 2xlarge 8 15, 4xlarge 16 30, 8xlarge 36 60"},
		{"t3", "medium 2 4, large 2 8, xlarge 4 16, 2xlarge 8 32"},
		{"g4dn", "xlarge 4 16 1 t4, 2xlarge 8 32 1 t4, 4xlarge 16 64 1 t4, 8xlarge 32 128 1 t4, 12xlarge 48 192 4 t4, 16xlarge 64 256 1 t4"},
		{"g5", "xlarge 4 16 1 a10g, 2xlarge 8 32 1 a10g, 4xlarge 16 64 1 a10g, 8xlarge 32 128 1 a10g, 12xlarge 48 192 4 a10g, 16xlarge 64 256 1 a10g, 24xlarge 96 384 4 a10g, 48xlarge 192 768 8 a10g"},
		{"g6", "xlarge 4 16 1 l4, 2xlarge 8 32 1 l4, 4xlarge 16 64 1 l4, 8xlarge 32 128 1 l4, 12xlarge 48 192 4 l4, 16xlarge 64 256 1 l4, 24xlarge 96 384 4 l4, 48xlarge 192 768 8 l4"},
		{"g6e", "xlarge 4 32 1 l40s, 2xlarge 8 64 1 l40s, 4xlarge 16 128 1 l40s, 8xlarge 32 256 1 l40s, 12xlarge 48 384 4 l40s, 16xlarge 64 512 1 l40s, 24xlarge 96 768 4 l40s, 48xlarge 192 1536 8 l40s"},
		{"g7", "2xlarge 8 32 1 rtx-pro-4500, 4xlarge 16 64 1 rtx-pro-4500, 8xlarge 32 128 1 rtx-pro-4500, 12xlarge 48 192 2 rtx-pro-4500, 24xlarge 96 384 4 rtx-pro-4500, 48xlarge 192 768 8 rtx-pro-4500"},
		{"g7e", "2xlarge 8 64 1 rtx-pro-6000, 4xlarge 16 128 1 rtx-pro-6000, 8xlarge 32 256 1 rtx-pro-6000, 12xlarge 48 512 2 rtx-pro-6000, 24xlarge 96 1024 4 rtx-pro-6000, 48xlarge 192 2048 8 rtx-pro-6000"},
		{"p3", "2xlarge 8 61 1 v100, 8xlarge 32 244 4 v100, 16xlarge 64 488 8 v100"},
		{"p3dn", "24xlarge 96 768 8 v100-32gb"},
		{"p4d", "24xlarge 96 1152 8 a100-40gb"},
		{"p4de", "24xlarge 96 1152 8 a100-80gb"},
		{"p5", "4xlarge 16 256 1 h100, 48xlarge 192 2048 8 h100"},
		{"p5e", "48xlarge 192 2048 8 h200"},
		{"p5en", "48xlarge 192 2048 8 h200"},
		{"p6-b200", "48xlarge 192 2048 8 b200"},
		{"p6-b300", "48xlarge 192 4096 8 b300"},
		{"p2", "xlarge 4 61 1 k80, 8xlarge 32 488 8 k80, 16xlarge 64 732 16 k80"},
		{"trn1", "2xlarge 8 32 1 trainium, 32xlarge 128 512 16 trainium"},
		{"trn1n", "32xlarge 128 512 16 trainium"},
		{"trn2", "48xlarge 192 2048 16 trainium2"},
	}
}
