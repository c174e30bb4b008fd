// Package ids keeps very many ids in little memory: as hashes of 64 bits, in tables that grow in small steps.
//
// An id takes 9 to 11 bytes in a [Set], and 14 to 16 in an [Index], which knows what belongs to each. Two different ids of a
// million are taken for the same with a chance of one in 37 million; of ten million, one in 370 thousand. Hashes are seeded
// anew for each Set and Index, so that nobody can make ids that collide.
package ids
